import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { openFileSink } from '../sinks/fileSink.ts';
import { blockCount, blockOf, placeOf } from '../testing/numberedBlocks.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';

const mib = 1024 * 1024;
const sizeBytes = 1024 * mib;
const library = new URL('../index.ts', import.meta.url).href;

const blocks = new URL('../testing/numberedBlocks.ts', import.meta.url).href;

async function writeProgram(folder: string): Promise<string> {
  const file = path.join(folder, 'program.mjs');
  await writeFile(
    file,
    `import { openFileSink } from ${JSON.stringify(library)};
import { writeSync } from 'node:fs';
import { blockCount, blockOf, placeOf } from ${JSON.stringify(blocks)};
const [finalPath, format, from] = process.argv.slice(2);
const { sink, kept } = await openFileSink({ finalPath, format, sizeBytes: ${sizeBytes}, resume: true, workDir: '/nonexistent' });
writeSync(1, 'kept ' + kept + '\\n');
for (let n = Number(from); n < blockCount; n += 8) {
  await Promise.all(Array.from({ length: Math.min(8, blockCount - n) }, (_, i) => sink.write(placeOf(n + i), blockOf(n + i))));
  if (n % 64 === 0) { await sink.flush(); writeSync(1, 'confirmed ' + (n + 8) + '\\n'); }
}
await sink.finish();
`,
  );
  return file;
}

/** Runs the program and kills it when it has confirmed `killAfter` blocks; tells what it confirmed and whether it kept the file. */
async function runOnce(
  folder: string,
  format: string,
  from: number,
  killAfter: number,
): Promise<{ kept: string; confirmed: number; exitCode: number }> {
  let confirmed = from;
  let kept = '';
  const child = startProcess({
    program: process.execPath,
    args: [path.join(folder, 'program.mjs'), path.join(folder, 'disk'), format, String(from)],
    onStdoutLine: (line) => {
      const [word, value] = line.split(' ');
      if (word === 'kept') kept = value ?? '';
      if (word === 'confirmed') confirmed = Number(value);
      if (confirmed >= killAfter) process.kill(child.pid, 'SIGKILL');
    },
  });
  const { exitCode } = await child.ended;
  return { kept, confirmed, exitCode };
}

describe.each(['qcow2', 'qcow2-zstd'] as const)('%s', (format) => {
  test('killed -9 amid writing again and again, it goes on at what was confirmed and ends complete and clean', async () => {
    await withTempFolder(async (folder) => {
      await writeProgram(folder);
      let from = 0;
      for (const killAfter of [200, 700, 1300]) {
        const run = await runOnce(folder, format, from, killAfter);
        expect(run.kept).toBe(String(from > 0));
        expect(run.confirmed).toBeGreaterThanOrEqual(killAfter);
        expect(run.exitCode).toBe(-1);
        from = run.confirmed;
        // What is there can be read, and nothing stands under the final name.
        await qemuImg('map', '--output=json', '-f', 'qcow2', path.join(folder, 'disk.partial'));
        await expect(stat(path.join(folder, 'disk'))).rejects.toThrow('ENOENT');
      }
      expect(await runOnce(folder, format, from, Infinity)).toMatchObject({ kept: 'true', exitCode: 0 });
      const disk = path.join(folder, 'disk');
      expect(await qemuImg('check', '-f', 'qcow2', disk)).toContain('No errors were found');
      const reference = path.join(folder, 'reference.raw');
      await writeReference(reference);
      expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', reference, disk)).toContain('identical');
    });
  });
});

async function writeReference(file: string): Promise<void> {
  const handle = await open(file, 'w');
  await handle.truncate(sizeBytes);
  for (let n = 0; n < blockCount; n += 1) await handle.write(blockOf(n), 0, 65_536, placeOf(n));
  await handle.close();
}

async function resumes(folder: string, format: 'qcow2' | 'qcow2-zstd'): Promise<boolean> {
  const finalPath = path.join(folder, 'disk');
  const { sink, kept } = await openFileSink({
    finalPath,
    format,
    sizeBytes: 64 * mib,
    resume: true,
    workDir: folder,
  });
  await sink.finish();
  expect(await qemuImg('check', '-f', 'qcow2', finalPath)).toContain('No errors were found');
  return kept;
}

test('the partial file of another writer is made anew', async () => {
  await withTempFolder(async (folder) => {
    const partial = path.join(folder, 'disk.partial');
    const writes = [{ offsetBytes: 0, lengthBytes: mib, fill: 9 }];
    await makeImage({ path: partial, format: 'qcow2', sizeBytes: 64 * mib, writes });
    expect(await resumes(folder, 'qcow2')).toBe(false);
    const map = await qemuImg('map', '--output=json', '-f', 'qcow2', path.join(folder, 'disk'));
    expect(map).not.toContain('"data": true');
  });
});

test.each([
  ['an L1 entry behind the end of the file', 2 * 65_536, 0x8000_00ff_0000_0000n],
  ['an L1 entry into the header', 2 * 65_536, 0x8000_0000_0000_0000n + 65_536n],
  ['an L2 entry behind the end of the file', 4 * 65_536, 0x8000_00ff_0000_0000n],
  ['a compressed L2 entry', 4 * 65_536, 0x4000_0000_0003_0000n],
  ['another magic number', 0, 0n],
])('a partial file with %s is made anew', async (_name, place, value) => {
  await withTempFolder(async (folder) => {
    const finalPath = path.join(folder, 'disk');
    const { sink } = await openFileSink({
      finalPath,
      format: 'qcow2',
      sizeBytes: 64 * mib,
      resume: false,
      workDir: folder,
    });
    await sink.write(0, Buffer.alloc(65_536, 1));
    await sink.suspend();
    const handle = await open(`${finalPath}.partial`, 'r+');
    const entry = Buffer.alloc(8);
    entry.writeBigUInt64BE(value);
    await handle.write(entry, 0, 8, place);
    await handle.close();
    expect(await resumes(folder, 'qcow2')).toBe(false);
  });
});

test('a cluster that two entries name is noticed before the disk gets its name', async () => {
  await withTempFolder(async (folder) => {
    const finalPath = path.join(folder, 'disk');
    const params = { finalPath, format: 'qcow2', sizeBytes: 64 * mib, workDir: folder } as const;
    const { sink } = await openFileSink({ ...params, resume: false });
    await sink.write(0, Buffer.alloc(65_536, 1));
    await sink.suspend();
    const bytes = await readFile(`${finalPath}.partial`);
    bytes.copy(bytes, 4 * 65_536 + 8, 4 * 65_536, 4 * 65_536 + 8);
    await writeFile(`${finalPath}.partial`, bytes);
    const again = await openFileSink({ ...params, resume: true });
    await expect(again.sink.finish()).rejects.toMatchObject({ code: 'DISK_IMAGE_CORRUPT' });
    await again.sink.abort();
    await expect(stat(finalPath)).rejects.toThrow('ENOENT');
  });
});

test('a disk that was finished but not yet renamed is gone on with', async () => {
  await withTempFolder(async (folder) => {
    const finalPath = path.join(folder, 'disk');
    const params = { finalPath, format: 'qcow2-zstd', sizeBytes: 64 * mib, workDir: folder } as const;
    const { sink } = await openFileSink({ ...params, resume: false });
    await sink.write(0, Buffer.alloc(mib, 1));
    await sink.finish();
    await rename(finalPath, `${finalPath}.partial`);
    expect(await resumes(folder, 'qcow2-zstd')).toBe(true);
    const map = await qemuImg('map', '--output=json', '-f', 'qcow2', finalPath);
    expect(map).toContain('"data": true');
  });
});
