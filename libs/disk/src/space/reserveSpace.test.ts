import { mkdir, readdir, statfs, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { runProcess, startProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { withTempFolder } from '../testing/images.ts';
import { reserveSpace } from './reserveSpace.ts';
import { parseRecord, recordText } from './spaceRecord.ts';

const mib = 1024 * 1024;

async function freeIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Another process that reserves and says so; it lives until it is killed. */
async function startRival(folder: string, bytes: number, target: string) {
  const program = path.join(folder, 'rival.mjs');
  const library = new URL('reserveSpace.ts', import.meta.url).href;
  await writeFile(
    program,
    `import { reserveSpace } from ${JSON.stringify(library)};
await reserveSpace(JSON.parse(process.argv[2]));
console.log('reserved');
setInterval(() => {}, 1000);
`,
  );
  const reserved = Promise.withResolvers<void>();
  const rival = startProcess({
    program: process.execPath,
    args: [program, JSON.stringify({ folder, bytes, target })],
    dieWithParent: true,
    onStdoutLine: () => reserved.resolve(),
  });
  await Promise.race([reserved.promise, rival.ended.then((end) => Promise.reject(new Error(end.stderr)))]);
  return rival;
}

async function records(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('.ascend'));
}

test('what one run has reserved another in this process cannot have, until it is released or written', async () => {
  await withTempFolder(async (folder) => {
    await mkdir(path.join(folder, 'other'));
    const most = (await freeIn(folder)) - 512 * mib;
    const first = await reserveSpace({ folder, bytes: most, target: '/a' });
    const again = { folder: path.join(folder, 'other'), bytes: 5 * 1024 * mib, target: '/b' };
    await expect(reserveSpace(again)).rejects.toMatchObject({
      code: 'DISK_SPACE_EXHAUSTED',
      details: { neededBytes: again.bytes, reservedBytes: most },
    });
    first.written(most - mib);
    const second = await reserveSpace(again);
    second.release();
    first.release();
    first.release();
    expect(await records(folder)).toEqual([]);
    expect(await records(again.folder)).toEqual([]);
  });
});

test('a reservation of another process counts while it lives and is gone after kill -9', async () => {
  await withTempFolder(async (folder) => {
    const most = (await freeIn(folder)) - 512 * mib;
    const rival = await startRival(folder, most, '/rival');
    const wanted = { folder, bytes: 5 * 1024 * mib, target: '/mine' };
    await expect(reserveSpace(wanted)).rejects.toMatchObject({
      code: 'DISK_SPACE_EXHAUSTED',
      details: { reservedBytes: most },
    });
    await expect(reserveSpace({ ...wanted, bytes: 0, target: '/rival' })).rejects.toMatchObject({
      code: 'DISK_TARGET_BUSY',
    });
    expect(await records(folder)).toHaveLength(2);
    process.kill(rival.pid, 'SIGKILL');
    await rival.ended;
    const mine = await reserveSpace(wanted);
    expect(await records(folder)).toHaveLength(2);
    mine.release();
    expect(await records(folder)).toEqual([]);
  });
});

test('two runs for one target exclude each other, and the loser leaves nothing', async () => {
  await withTempFolder(async (folder) => {
    const first = await reserveSpace({ folder, bytes: 1, target: '/same' });
    await expect(reserveSpace({ folder, bytes: 1, target: '/same' })).rejects.toMatchObject({
      code: 'DISK_TARGET_BUSY',
    });
    first.release();
    expect(await records(folder)).toEqual([]);
  });
});

test('the rest that a run has still to write is what other processes read', async () => {
  await withTempFolder(async (folder) => {
    const first = await reserveSpace({ folder, bytes: 1024 * mib, target: '/a' });
    first.written(256 * mib);
    const name = (await records(folder)).find((one) => one.endsWith('.txt'));
    const { stdout } = await runProcess({ program: 'cat', args: [path.join(folder, name ?? '')] });
    expect(parseRecord(`${stdout}\n`)).toEqual({ remainingBytes: 768 * mib, target: '/a' });
    first.release();
  });
});

test('strange files under the name of a record do no harm', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(path.join(folder, '.ascend-space-a.txt'), 'nonsense');
    await symlink('/dev/zero', path.join(folder, '.ascend-space-b.txt'));
    await mkdir(path.join(folder, '.ascend-space-c.txt'));
    await runProcess({ program: 'mkfifo', args: [path.join(folder, '.ascend-space-d.txt')] });
    const mine = await reserveSpace({ folder, bytes: mib, target: '/a' });
    mine.release();
    expect(await records(folder)).toHaveLength(4);
  });
});

test('a record reads back as it was written, and anything else as nothing', () => {
  fc.assert(
    fc.property(fc.nat(), fc.string(), (remainingBytes, target) => {
      expect(parseRecord(recordText(remainingBytes, target))).toEqual({ remainingBytes, target });
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseRecord(text)).toBeNull();
    }),
  );
});

test('a folder that is not there is named', async () => {
  await withTempFolder(async (folder) => {
    await expect(
      reserveSpace({ folder: path.join(folder, 'nowhere'), bytes: 1, target: '/a' }),
    ).rejects.toMatchObject({ code: 'DISK_FILE_MISSING' });
  });
});
