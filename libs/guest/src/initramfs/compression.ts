import type { ByteCursor } from './byteCursor.ts';

/** How a part of an initramfs is packed. `cpio`: not packed. `end`: nothing follows. */
export type Packing = 'cpio' | 'gzip' | 'zstd' | 'xz' | 'lzma' | 'bzip2' | 'lz4' | 'lzo' | 'unknown' | 'end';

const magics: readonly (readonly [Packing, Buffer])[] = [
  ['cpio', Buffer.from('070701', 'latin1')],
  ['cpio', Buffer.from('070702', 'latin1')],
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['lz4', Buffer.from([0x02, 0x21, 0x4c, 0x18])],
  ['lzo', Buffer.from([0x89, 0x4c, 0x5a, 0x4f])],
  ['bzip2', Buffer.from('BZh', 'latin1')],
  ['lzma', Buffer.from([0x5d, 0x00, 0x00])],
];

const padWindowBytes = 64 * 1024;

const zeros = Buffer.alloc(padWindowBytes);

function firstNonZero(bytes: Buffer): number {
  return bytes.equals(zeros.subarray(0, bytes.length)) ? -1 : bytes.findIndex((byte) => byte !== 0);
}

/** Skips the zero bytes between two parts and tells what comes next. */
export async function nextPacking(cursor: ByteCursor): Promise<Packing> {
  for (;;) {
    const some = await cursor.peek(padWindowBytes);
    if (some.length === 0) return 'end';
    const first = firstNonZero(some);
    if (first === -1) {
      await cursor.skip(some.length);
      continue;
    }
    await cursor.skip(first);
    const head = await cursor.peek(6);
    return magics.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0] ?? 'unknown';
  }
}
