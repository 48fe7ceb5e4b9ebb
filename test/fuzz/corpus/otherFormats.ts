import { cut, edited, fieldCases, place, type BrokenImage, type Edit, type Field } from './brokenImage.ts';
import { crc32c } from './crc32c.ts';
import { diskBytes, type Templates } from './templates.ts';

type Groups = Map<string, readonly BrokenImage[]>;

const footerFields: readonly Field[] = [
  { name: 'header offset', at: 16, bytes: 8 },
  { name: 'current size', at: 48, bytes: 8 },
  { name: 'geometry', at: 56, bytes: 4 },
  { name: 'disk type', at: 60, bytes: 4 },
  { name: 'checksum', at: 64, bytes: 4 },
];
const dynamicFields: readonly Field[] = [
  { name: 'table offset', at: 512 + 16, bytes: 8 },
  { name: 'table entries', at: 512 + 28, bytes: 4 },
  { name: 'block size', at: 512 + 32, bytes: 4 },
];

function sumOf(bytes: Buffer, from: number, length: number, sumAt: number): void {
  bytes.writeUInt32BE(0, from + sumAt);
  let sum = 0;
  for (const byte of bytes.subarray(from, from + length)) sum += byte;
  bytes.writeUInt32BE(~sum >>> 0, from + sumAt);
}

/** Checksums of a dynamic VHD made right, and the footer at the end like its copy. */
export const sealVhd: Edit = (bytes) => {
  sumOf(bytes, 0, 512, 64);
  sumOf(bytes, 512, 1024, 36);
  bytes.copy(bytes, bytes.length - 512, 0, 512);
};

function vhdCases(templates: Templates, groups: Groups): void {
  const { vhd, vhdFixed } = templates;
  for (const field of footerFields) {
    const seal = field.name === 'checksum' ? undefined : sealVhd;
    groups.set(`dynamic VHD: ${field.name}`, fieldCases(vhd, field, 'be', seal));
  }
  for (const field of dynamicFields)
    groups.set(`dynamic VHD: ${field.name}`, fieldCases(vhd, field, 'be', sealVhd));
  const footerAt = vhdFixed.bytes.length - 512;
  for (const field of footerFields.slice(0, 4)) {
    const moved = { ...field, at: footerAt + field.at };
    const seal: Edit = (bytes) => sumOf(bytes, footerAt, 512, 64);
    groups.set(`fixed VHD: ${field.name}`, fieldCases(vhdFixed, moved, 'be', seal));
  }
  const table = Number(vhd.bytes.readBigUInt64BE(512 + 16));
  const size = vhd.bytes.length;
  const entries = [0, 1, 2, 0x7fff_ffff, 0xffff_fffe, Math.ceil(size / 512), (size >> 9) - 1, table / 512];
  groups.set('dynamic VHD: block table', [
    ...entries.map((sector) =>
      edited(vhd, `a block at sector ${sector}`, (bytes) => bytes.writeUInt32BE(sector, table)),
    ),
    edited(vhd, 'two equal blocks', (bytes) => bytes.copy(bytes, table + 4, table, table + 4)),
    edited(vhd, 'a table of zeros', (bytes) => bytes.fill(0, table, table + 16)),
  ]);
  groups.set(
    'VHD, cut',
    [7, 8, 511, 512, 1024, 1535, table, table + 3, table + 512, size >> 1, size - 513, size - 512, size - 1]
      .map((at) => cut(vhd, at))
      .concat([511, 512, diskBytes - 1, diskBytes, diskBytes + 511].map((at) => cut(vhdFixed, at))),
  );
}

const regionAt = 192 * 1024;

/** Checksums of a VHDX's headers and region tables made right. */
export function sealVhdx(bytes: Buffer): void {
  for (const [at, length] of [
    [64 * 1024, 4096],
    [128 * 1024, 4096],
    [regionAt, 65_536],
    [regionAt + 65_536, 65_536],
  ] as const) {
    bytes.writeUInt32LE(0, at + 4);
    bytes.writeUInt32LE(crc32c(bytes.subarray(at, at + length)), at + 4);
  }
}

function itemAt(bytes: Buffer, metadataAt: number, guid: string): number {
  for (let at = metadataAt + 32; at < metadataAt + 32 + 32 * 16; at += 32)
    if (bytes.toString('hex', at, at + 16) === guid) return at;
  throw new Error(`the VHDX has no item ${guid}`);
}

function vhdxCases(templates: Templates, groups: Groups): void {
  const { vhdx } = templates;
  const { bytes } = vhdx;
  const regions = [0, 1].map((index) => {
    const at = regionAt + 16 + index * 32;
    return { at, guid: bytes.toString('hex', at, at + 16), offset: Number(bytes.readBigUInt64LE(at + 16)) };
  });
  const metadata = regions.find((one) => one.guid === '06a27c8b90479a4bb8fe575f050f886e')?.offset ?? 0;
  const table = regions.find((one) => one.guid === '6677c22d23f600429d64115e9bfd4a08')?.offset ?? 0;
  const sizeItem = itemAt(bytes, metadata, '2442a52f1bcd7648b2115dbed83bf4b8');
  const parameterItem = itemAt(bytes, metadata, '3767a1ca36fa434db3b633f0aa44e76b');
  const valueAt = (item: number): number => metadata + bytes.readUInt32LE(item + 16);
  const fields: readonly Field[] = [
    { name: 'header version', at: 64 * 1024 + 66, bytes: 2 },
    { name: 'log length', at: 64 * 1024 + 68, bytes: 4 },
    { name: 'log offset', at: 64 * 1024 + 72, bytes: 8 },
    { name: 'region count', at: regionAt + 8, bytes: 4 },
    ...regions.flatMap(({ at }, index) => [
      { name: `region ${index} offset`, at: at + 16, bytes: 8 as const },
      { name: `region ${index} length`, at: at + 24, bytes: 4 as const },
    ]),
    { name: 'metadata count', at: metadata + 10, bytes: 2 },
    { name: 'size item offset', at: sizeItem + 16, bytes: 4 },
    { name: 'virtual size', at: valueAt(sizeItem), bytes: 8 },
    { name: 'block size', at: valueAt(parameterItem), bytes: 4 },
    { name: 'parameter flags', at: valueAt(parameterItem) + 4, bytes: 4 },
    { name: 'first block', at: table, bytes: 8 },
  ];
  for (const field of fields) groups.set(`VHDX: ${field.name}`, fieldCases(vhdx, field, 'le', sealVhdx));
  groups.set('VHDX: damage without right checksums', [
    edited(vhdx, 'both headers gone', (copy) => copy.fill(0, 64 * 1024, 192 * 1024)),
    edited(vhdx, 'a region table of ones', (copy) => copy.fill(255, regionAt, regionAt + 1024)),
    edited(vhdx, 'a log to replay', (copy) => {
      for (const at of [64 * 1024, 128 * 1024]) copy.fill(0x5a, at + 48, at + 64);
      sealVhdx(copy);
    }),
    edited(vhdx, 'two equal blocks', (copy) => copy.copy(copy, table + 8, table, table + 8)),
  ]);
  const mib = 1024 * 1024;
  const size = bytes.length;
  groups.set(
    'VHDX, cut',
    [
      7,
      8,
      64 * 1024,
      128 * 1024 + 1,
      regionAt,
      regionAt + 65_535,
      mib,
      metadata,
      metadata + 65_535,
      table,
      table + 8,
      size - mib,
      size - 1,
    ].map((at) => cut(vhdx, at)),
  );
}

const sparseFields: readonly Field[] = [
  { name: 'version', at: 4, bytes: 4 },
  { name: 'flags', at: 8, bytes: 4 },
  { name: 'capacity', at: 12, bytes: 8 },
  { name: 'grain size', at: 20, bytes: 8 },
  { name: 'descriptor offset', at: 28, bytes: 8 },
  { name: 'descriptor size', at: 36, bytes: 8 },
  { name: 'grains per table', at: 44, bytes: 4 },
  { name: 'second directory offset', at: 48, bytes: 8 },
  { name: 'directory offset', at: 56, bytes: 8 },
  { name: 'overhead', at: 64, bytes: 8 },
  { name: 'compression', at: 77, bytes: 2 },
];

function vmdkCases(templates: Templates, groups: Groups): void {
  for (const template of [templates.vmdk, templates.vmdkStream]) {
    const { bytes } = template;
    for (const field of sparseFields)
      groups.set(`${template.name}: ${field.name}`, fieldCases(template, field, 'le'));
    const directory = Number(bytes.readBigUInt64LE(56)) * 512;
    const grains = bytes.readUInt32LE(directory) * 512;
    const size = bytes.length;
    const sectors = [
      1,
      2,
      0x7fff_ffff,
      0xffff_ffff,
      Math.ceil(size / 512),
      (size >> 9) - 1,
      directory / 512,
      grains / 512,
    ];
    groups.set(`${template.name}: tables`, [
      ...sectors.flatMap((sector) => [
        edited(template, `a grain table at sector ${sector}`, (copy) =>
          copy.writeUInt32LE(sector, directory),
        ),
        edited(template, `a grain at sector ${sector}`, (copy) => copy.writeUInt32LE(sector, grains)),
      ]),
      edited(template, 'two equal grains', (copy) => copy.copy(copy, grains + 4, grains, grains + 4)),
      edited(template, 'a grain of wrong bytes', (copy) =>
        copy.fill(0xa5, copy.readUInt32LE(grains) * 512 + 14, copy.readUInt32LE(grains) * 512 + 60),
      ),
      edited(template, 'a grain that says it is huge', (copy) =>
        copy.writeUInt32LE(0xffff_ffff, copy.readUInt32LE(grains) * 512 + 8),
      ),
    ]);
    groups.set(
      `${template.name}, cut`,
      [
        3,
        4,
        79,
        511,
        512,
        1024,
        directory,
        directory + 3,
        grains,
        grains + 4,
        size >> 1,
        size - 1024,
        size - 512,
        size - 1,
      ].map((at) => cut(template, at)),
    );
  }
}

/** The text descriptor of a split VMDK. */
export function vmdkDescriptor(...extents: readonly string[]): string {
  return `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n\n${extents.join('\n')}\n\nddb.adapterType = "ide"\n`;
}

function descriptorCase(name: string, text: string, flatBytes = diskBytes): BrokenImage {
  return {
    name: `a VMDK descriptor with ${name}`,
    make: async (folder) => {
      await place(folder, 'flat.bin', Buffer.alloc(flatBytes, 7));
      return await place(folder, 'disk.vmdk', text);
    },
  };
}

function descriptorCases(groups: Groups): void {
  const sectors = diskBytes / 512;
  const one = (line: string): string => vmdkDescriptor(line);
  groups.set('VMDK descriptors', [
    descriptorCase('a whole extent', one(`RW ${sectors} FLAT "flat.bin" 0`)),
    descriptorCase('an extent behind the file', one(`RW ${sectors} FLAT "flat.bin" 1`)),
    descriptorCase('an extent far behind the file', one(`RW ${sectors} FLAT "flat.bin" 999999999999999`)),
    descriptorCase('a huge extent', one('RW 999999999999999 FLAT "flat.bin" 0')),
    descriptorCase('an extent longer than numbers go', one('RW 99999999999999999999 FLAT "flat.bin" 0')),
    descriptorCase('a negative extent', one('RW -1 FLAT "flat.bin" 0')),
    descriptorCase('an extent of nothing', one('RW 0 FLAT "flat.bin" 0')),
    descriptorCase('no extent', vmdkDescriptor()),
    descriptorCase(
      'the same extent twice',
      vmdkDescriptor(`RW ${sectors} FLAT "flat.bin" 0`, `RW ${sectors} FLAT "flat.bin" 0`),
    ),
    descriptorCase(
      '3000 extents',
      vmdkDescriptor(...Array.from({ length: 3000 }, () => 'RW 1 FLAT "flat.bin" 0').slice(0, 2500)),
    ),
    descriptorCase('a missing extent', one(`RW ${sectors} FLAT "gone.bin" 0`)),
    descriptorCase('an extent in another folder', one(`RW ${sectors} FLAT "../flat.bin" 0`)),
    descriptorCase('an absolute extent', one(`RW ${sectors} FLAT "/etc/hostname" 0`)),
    descriptorCase('an extent by protocol', one(`RW ${sectors} FLAT "nbd:localhost:1" 0`)),
    descriptorCase('itself as extent', one(`RW ${sectors} FLAT "disk.vmdk" 0`)),
    descriptorCase('itself as sparse extent', one(`RW ${sectors} SPARSE "disk.vmdk"`)),
    descriptorCase('a sparse extent that is none', one(`RW ${sectors} SPARSE "flat.bin"`)),
    descriptorCase('a control character in a name', one(`RW ${sectors} FLAT "fl\u001b[31mat.bin" 0`)),
    descriptorCase('a zero byte before the extents', one(`\0RW ${sectors} FLAT "flat.bin" 0`)),
    descriptorCase('a short extent file', one(`RW ${sectors} FLAT "flat.bin" 0`), 1000),
    descriptorCase('200 KiB of text', `${one(`RW ${sectors} FLAT "flat.bin" 0`)}${'#'.repeat(200 * 1024)}`),
  ]);
}

/** Broken files of every format but QCOW2, by what is broken. */
export function otherFormatCases(templates: Templates): ReadonlyMap<string, readonly BrokenImage[]> {
  const groups: Groups = new Map();
  vhdCases(templates, groups);
  vhdxCases(templates, groups);
  vmdkCases(templates, groups);
  descriptorCases(groups);
  groups.set('raw disks', [
    cut(templates.raw, 0),
    cut(templates.raw, 1),
    cut(templates.raw, 511),
    cut(templates.raw, 513),
    cut(templates.raw, diskBytes - 1),
  ]);
  return groups;
}
