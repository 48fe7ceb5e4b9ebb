import { mkdir, mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outcomeOf } from '../testing/settles.ts';
import { memorySource, openFileSource } from '../byteSource.ts';
import { openExt4 } from './ext4Files.ts';

const mib = 1024 * 1024;
let folder = '';

/** Sizes that lead to direct, indirect and double indirect blocks, holes and fragments. */
const contents: Readonly<Record<string, Buffer>> = {
  'small.txt': Buffer.from('hello\n'),
  empty: Buffer.alloc(0),
  'etc/deep/middle.bin': Buffer.alloc(300 * 1024, 'middle'),
  'large.bin': Buffer.alloc(5 * mib, 'large file '),
};

async function makeVolume(args: readonly string[], sizeBytes = 32 * mib): Promise<string> {
  const path = join(await mkdtemp(join(folder, 'volume-')), 'volume.raw');
  const file = await open(path, 'w');
  await file.truncate(sizeBytes);
  await file.close();
  await runProcess({ program: 'mke2fs', args: ['-q', '-F', '-d', join(folder, 'tree'), ...args, path] });
  return path;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-ext4-'));
  const tree = join(folder, 'tree');
  await mkdir(join(tree, 'etc/deep'), { recursive: true });
  await mkdir(join(tree, 'many'));
  for (const [path, data] of Object.entries(contents)) await writeFile(join(tree, path), data);
  for (let index = 0; index < 600; index += 1)
    await writeFile(join(tree, 'many', `file-number-${index}`), '');
  await writeFile(join(tree, 'sparse'), 'start');
  await truncate(join(tree, 'sparse'), 3 * mib);
  const links = {
    'etc/relative': '../small.txt',
    'etc/absolute': '/etc/deep/middle.bin',
    'etc/outside': '../../../../../../small.txt',
    'etc/loop': 'loop',
    'etc/folder': '/etc/deep',
    'etc/long': `${'./'.repeat(60)}deep/middle.bin`,
    'etc/nowhere': '/not/there',
  };
  for (const [path, target] of Object.entries(links)) await symlink(target, join(tree, path));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const layouts: readonly (readonly [string, readonly string[]])[] = [
  ['ext4 with 4 KiB blocks', ['-t', 'ext4', '-b', '4096']],
  ['ext4 with 1 KiB blocks', ['-t', 'ext4', '-b', '1024']],
  ['ext4 without 64 bit', ['-t', 'ext4', '-O', '^64bit']],
  ['ext4 with meta groups', ['-t', 'ext4', '-b', '1024', '-O', 'meta_bg,^resize_inode']],
  ['ext3 with block maps', ['-t', 'ext3', '-b', '1024']],
  ['ext2 with small inodes', ['-t', 'ext2', '-I', '128']],
];

describe.each(layouts)('openExt4 on %s', (_, args) => {
  it('reads every file as it was written', async () => {
    await using source = withDispose(await openFileSource(await makeVolume(args)));
    const files = await openExt4(source);
    for (const [path, data] of Object.entries(contents)) {
      expect([path, (await files.read(`/${path}`, 8 * mib))?.equals(data)]).toEqual([path, true]);
    }
    const sparse = await files.read('/sparse', 8 * mib);
    expect(sparse?.length).toBe(3 * mib);
    expect(sparse?.subarray(0, 6).toString('latin1')).toBe('start\0');
    expect((await files.list('/many')).length).toBe(600);
  });

  it('follows links inside the volume only', async () => {
    await using source = withDispose(await openFileSource(await makeVolume(args)));
    const files = await openExt4(source);
    expect((await files.read('/etc/relative', 100))?.toString()).toBe('hello\n');
    expect((await files.read('/etc/outside', 100))?.toString()).toBe('hello\n');
    expect((await files.stat('/etc/absolute'))?.sizeBytes).toBe(300 * 1024);
    expect((await files.stat('/etc/long'))?.sizeBytes).toBe(300 * 1024);
    expect((await files.stat('/etc/folder/middle.bin'))?.kind).toBe('file');
    expect(await files.stat('/etc/loop')).toBeNull();
    expect(await files.read('/etc/nowhere', 100)).toBeNull();
    expect(await files.read('/etc/deep', 100)).toBeNull();
    expect(await files.list('/small.txt')).toEqual([]);
  });
});

function withDispose<T extends { close(): Promise<void> }>(value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: () => value.close() });
}

describe('openExt4', () => {
  it('refuses a file that is larger than allowed before reading it', async () => {
    await using source = withDispose(await openFileSource(await makeVolume(['-t', 'ext4'])));
    const files = await openExt4(source);
    await expect(files.read('/large.bin', 1000)).rejects.toMatchObject({ code: 'GUEST_FILE_TOO_LARGE' });
  });

  it('streams the same bytes as it reads', async () => {
    await using source = withDispose(await openFileSource(await makeVolume(['-t', 'ext4'])));
    const files = await openExt4(source);
    const hash = createHash('sha256');
    for await (const piece of files.stream('/large.bin')) hash.update(piece);
    const wanted = createHash('sha256')
      .update(contents['large.bin'] ?? '')
      .digest('hex');
    expect(hash.digest('hex')).toBe(wanted);
  });

  it('refuses what is no ext file system, and features it does not know', async () => {
    await expect(openExt4(memorySource(Buffer.alloc(mib)))).rejects.toMatchObject({
      code: 'GUEST_FILE_SYSTEM_CORRUPT',
    });
    const path = await makeVolume(['-t', 'ext4']);
    const file = await open(path, 'r+');
    await file.write(Buffer.from([0xff]), 0, 1, 1024 + 0x63);
    await file.close();
    await using source = withDispose(await openFileSource(path));
    await expect(openExt4(source)).rejects.toMatchObject({ code: 'GUEST_FILE_SYSTEM_UNSUPPORTED' });
  });

  it('answers damaged metadata with coded errors or other contents, and always comes to an end', async () => {
    await using source = withDispose(
      await openFileSource(await makeVolume(['-t', 'ext4', '-b', '1024'], 8 * mib)),
    );
    const whole = await source.read(0, source.sizeBytes);
    const flips = fc.array(fc.tuple(fc.nat(400 * 1024), fc.nat(255)), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const damaged = Buffer.from(whole);
        for (const [at, value] of changes) damaged.writeUInt8(value, 1024 + at);
        const outcome = await outcomeOf(async () => {
          const files = await openExt4(memorySource(damaged));
          for (const path of ['/etc/absolute', '/etc/loop', '/small.txt', '/large.bin'])
            await files.read(path, 8 * mib);
          await files.list('/many');
        });
        expect(outcome).toMatch(/^(?:done|GUEST_)/);
      }),
      { numRuns: 150 },
    );
  });
});
