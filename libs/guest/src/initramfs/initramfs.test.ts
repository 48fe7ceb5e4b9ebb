import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outcomeOf } from '../testing/settles.ts';
import { encodeCpio, type CpioFile } from './cpio.ts';
import { modulesOf, readInitramfs, type Initramfs } from './initramfs.ts';

let workDir = '';
const signal = new AbortController().signal;

beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'ascend-initramfs-'));
});

afterAll(async () => {
  await rm(workDir, { recursive: true, force: true });
});

function file(name: string, text: string): CpioFile {
  return { name, mode: 0o100644, data: Buffer.from(text) };
}

const early = encodeCpio([file('kernel/x86/microcode/GenuineIntel.bin', 'microcode')]);
const main = encodeCpio([
  { name: '.', mode: 0o040755, data: Buffer.alloc(0) },
  { name: 'lib', mode: 0o120777, data: Buffer.from('usr/lib') },
  file('conf/modules', 'ext4\n'),
  file('usr/lib/modules/6.1.0/kernel/drivers/scsi/sd-mod.ko.xz', 'x'.repeat(5000)),
  file('usr/lib/modules/5.0.0/kernel/old.ko', 'other kernel'),
]);
const appended = encodeCpio([
  file('lib/modules/6.1.0/kernel/virtio_blk.ko', 'new'),
  file('conf/modules', 'virtio_blk\n'),
]);

async function byTool(program: string, args: readonly string[]): Promise<Buffer> {
  const path = join(workDir, 'packed-input');
  await writeFile(path, main);
  await runProcess({ program, args: [...args, path, ...(program === 'lz4' ? [`${path}.out`] : [])] });
  const suffix = { xz: '.xz', bzip2: '.bz2', lz4: '.out' }[program] ?? '';
  const produced = args.includes('--format=lzma') ? `${path}.lzma` : `${path}${suffix}`;
  return await readFile(produced);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function wanted(name: string): boolean {
  return name === 'conf/modules';
}

async function read(bytes: Buffer, size = 1000): Promise<Initramfs> {
  return await readInitramfs({ image: inPieces(bytes, size), wanted, workDir, signal });
}

function padTo4(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

const packings: readonly (readonly [string, () => Promise<Buffer>])[] = [
  ['cpio', async () => main],
  ['gzip', async () => gzipSync(main)],
  ['zstd', async () => zstdCompressSync(main)],
  ['xz', () => byTool('xz', ['--keep', '--force', '--check=crc32'])],
  ['lzma', () => byTool('xz', ['--keep', '--force', '--format=lzma'])],
  ['bzip2', () => byTool('bzip2', ['--keep', '--force'])],
  ['lz4', () => byTool('lz4', ['-l', '-f', '-q'])],
];

describe.each(packings)('readInitramfs with a %s main part', (packing, pack) => {
  it('finds the members of early, main and appended archives', async () => {
    const packed = await pack();
    const image = await read(Buffer.concat([early, padTo4(packed), appended]));
    expect(image.parts).toEqual(['cpio', packing, 'cpio']);
    expect(modulesOf(image.names, '6.1.0')).toEqual(['sd_mod', 'virtio_blk']);
    expect(image.names.has('kernel/x86/microcode/GenuineIntel.bin')).toBe(true);
    expect(image.files.get('conf/modules')?.toString()).toBe('virtio_blk\n');
    expect([...image.links]).toEqual(['lib']);
  });

  it('reads a main part alone', async () => {
    const image = await read(await pack());
    expect(image.files.get('conf/modules')?.toString()).toBe('ext4\n');
    expect(modulesOf(image.names, '5.0.0')).toEqual(['old']);
  });

  it('refuses a main part that is cut', async () => {
    const packed = await pack();
    await expect(read(packed.subarray(0, Math.floor(packed.length * 0.6)))).rejects.toMatchObject({
      code: 'GUEST_INITRAMFS_UNREADABLE',
    });
  });
});

describe('readInitramfs', () => {
  it('gives the same answer however the bytes arrive', async () => {
    const bytes = Buffer.concat([early, padTo4(gzipSync(main)), appended, padTo4(zstdCompressSync(main))]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6000 }), async (size) => {
        const image = await read(bytes, size);
        expect(image.parts).toEqual(['cpio', 'gzip', 'cpio', 'zstd']);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros only', Buffer.alloc(10_000)],
    ['text', Buffer.from('this is no initramfs, whatever its name says')],
  ])('refuses %s', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'GUEST_INITRAMFS_UNREADABLE' });
  });

  it('refuses an image that unpacks without end', async () => {
    const block = zstdCompressSync(Buffer.alloc(128 * 1024 * 1024));
    const bomb = Buffer.concat(Array.from({ length: 12 }, () => block));
    await expect(read(bomb)).rejects.toThrow('unpacks to more than 1073741824 bytes');
    const many = Buffer.concat(Array.from({ length: 40 }, () => main));
    await expect(read(many)).rejects.toThrow('more than 16 parts');
  });

  it('answers damaged bytes with a coded error or other names, and always comes to an end', async () => {
    const bytes = Buffer.concat([early, padTo4(gzipSync(main)), padTo4(zstdCompressSync(main)), appended]);
    const flips = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged.writeUInt8(value, at);
        expect(['done', 'GUEST_INITRAMFS_UNREADABLE']).toContain(await outcomeOf(() => read(damaged)));
      }),
      { numRuns: 200 },
    );
  });
});
