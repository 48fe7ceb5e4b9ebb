import type { ByteSource } from '../byteSource.ts';

/** What a partition (or whole disk) holds, told by its magic numbers. */
export interface VolumeContent {
  /** File system or container: `ext4`, `xfs`, `btrfs`, `ntfs`, `vfat`, `swap`, `lvm2`, `luks`, `bitlocker`, `mdraid`, `unknown`. */
  readonly content: string;
  /** As blkid prints it; null when there is none. */
  readonly uuid: string | null;
  readonly label: string | null;
  /** What keeps it from being mounted from this volume alone: encryption, further devices. Absent: nothing known. */
  readonly obstacle?: string;
}

const headBytes = 72 * 1024;

/** The canonical text of a 16 byte UUID. */
export function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

/** A fixed-size text field: up to the first NUL, null when empty. */
export function fieldText(bytes: Buffer): string | null {
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end === -1 ? bytes.length : end).trimEnd();
  return text === '' ? null : text;
}

function extContent(head: Buffer): VolumeContent {
  const base = 1024;
  const [compat, incompat, roCompat] = [0x5c, 0x60, 0x64].map((at) => head.readUInt32LE(base + at));
  // ext4 = extents, 64bit, flex_bg or huge_file and newer; else ext3 with a journal (0x4), else ext2.
  const four = ((incompat ?? 0) & (0x40 | 0x80 | 0x200)) !== 0 || ((roCompat ?? 0) & 0x78) !== 0;
  const content = four ? 'ext4' : ((compat ?? 0) & 0x4) === 0 ? 'ext2' : 'ext3';
  const uuid = uuidText(head.subarray(base + 0x68, base + 0x78));
  return { content, uuid, label: fieldText(head.subarray(base + 0x78, base + 0x88)) };
}

function fatContent(head: Buffer): VolumeContent {
  const wide = head.toString('latin1', 82, 87) === 'FAT32';
  const serialAt = wide ? 67 : 39;
  const serial = head.readUInt32LE(serialAt).toString(16).toUpperCase().padStart(8, '0');
  const label = fieldText(head.subarray(serialAt + 4, serialAt + 15));
  return {
    content: 'vfat',
    uuid: `${serial.slice(0, 4)}-${serial.slice(4)}`,
    label: label === 'NO NAME' ? null : label,
  };
}

/** The header starts alike in versions 1 and 2 (cryptsetup, "LUKS1/LUKS2 On-Disk Format"); labels came with 2. */
function luksContent(head: Buffer): VolumeContent {
  const version = head.readUInt16BE(6);
  return {
    content: 'luks',
    uuid: fieldText(head.subarray(168, 208)),
    label: version === 2 ? fieldText(head.subarray(24, 72)) : null,
    obstacle: `LUKS version ${version} encryption`,
  };
}

function btrfsContent(head: Buffer): VolumeContent {
  const devices = head.readBigUInt64LE(0x10088);
  return {
    content: 'btrfs',
    uuid: uuidText(head.subarray(0x10020, 0x10030)),
    label: fieldText(head.subarray(0x1012b, 0x1022b)),
    ...(devices > 1n ? { obstacle: `the file system spans ${devices} devices` } : {}),
  };
}

function isMdSuperblock(head: Buffer): boolean {
  return [0, 4096].some((at) => head.readUInt32LE(at) === 0xa92b4efc);
}

function textAt(head: Buffer, at: number, text: string): boolean {
  return head.toString('latin1', at, at + text.length) === text;
}

function isFat(head: Buffer): boolean {
  return head.readUInt16LE(510) === 0xaa55 && (textAt(head, 82, 'FAT32') || textAt(head, 54, 'FAT1'));
}

type Detector = readonly [(head: Buffer) => boolean, (head: Buffer) => VolumeContent];

const plain = (content: string) => (): VolumeContent => ({ content, uuid: null, label: null });

/** Order matters: a container's own magic comes before what an old file system may have left behind it. */
const detectors: readonly Detector[] = [
  [(head) => textAt(head, 0, 'LUKS\xba\xbe'), luksContent],
  [(head) => textAt(head, 3, '-FVE-FS-'), plain('bitlocker')],
  [(head) => [0, 512, 1024, 1536].some((at) => textAt(head, at, 'LABELONE')), plain('lvm2')],
  [isMdSuperblock, plain('mdraid')],
  [
    (head) => textAt(head, 0, 'XFSB'),
    (head) => ({
      content: 'xfs',
      uuid: uuidText(head.subarray(32, 48)),
      label: fieldText(head.subarray(108, 120)),
    }),
  ],
  [
    (head) => textAt(head, 3, 'NTFS    '),
    (head) => ({
      content: 'ntfs',
      uuid: head.readBigUInt64LE(0x48).toString(16).toUpperCase().padStart(16, '0'),
      label: null,
    }),
  ],
  [isFat, fatContent],
  [(head) => head.readUInt16LE(1024 + 0x38) === 0xef53, extContent],
  [(head) => textAt(head, 0x10040, '_BHRfS_M'), btrfsContent],
  [
    (head) => textAt(head, 4086, 'SWAPSPACE2'),
    (head) => ({
      content: 'swap',
      uuid: uuidText(head.subarray(1036, 1052)),
      label: fieldText(head.subarray(1052, 1068)),
    }),
  ],
];

/** Tells what a volume holds from its first 72 KiB. `unknown` when nothing fits; never throws for strange bytes. */
export async function readVolumeContent(source: ByteSource): Promise<VolumeContent> {
  const head = Buffer.alloc(headBytes);
  const available = Math.min(headBytes, source.sizeBytes);
  (await source.read(0, available)).copy(head);
  const hit = detectors.find(([matches]) => matches(head));
  return hit === undefined ? { content: 'unknown', uuid: null, label: null } : hit[1](head);
}
