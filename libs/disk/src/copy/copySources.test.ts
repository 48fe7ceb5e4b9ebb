import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { analyzeChain } from '../chain/analyzeChain.ts';
import { openChain, type DiskChain } from '../chain/chain.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, sha256Of, withTempFolder } from '../testing/images.ts';
import { copyDisk } from './copyDisk.ts';

const mib = 1024 * 1024;

async function copyTo(folder: string, chain: DiskChain, format: 'raw' | 'qcow2'): Promise<string> {
  const finalPath = path.join(folder, `out.${format}`);
  const sizeBytes = chain.virtualSizeBytes;
  const { sink } = await openFileSink({ finalPath, format, sizeBytes, resume: false, workDir: folder });
  try {
    await copyDisk({
      image: { chain, overlays: [] },
      sink,
      targetSizeBytes: sizeBytes,
      workDir: folder,
      signal: AbortSignal.timeout(50_000),
      bandwidthBytesPerSecond: null,
      resumeFromBytes: 0,
      onProgress: () => undefined,
      onConfirmed: () => Promise.resolve(),
    });
    await sink.finish();
  } catch (cause) {
    await sink.abort();
    throw cause;
  }
  return finalPath;
}

const sources: readonly (readonly [SourceFormat, string, string])[] = [
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
  ['vhd', 'vpc', 'subformat=fixed,force_size=on'],
  ['vhdx', 'vhdx', 'subformat=dynamic'],
  ['vhdx', 'vhdx', 'subformat=fixed'],
  ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'vmdk', 'subformat=monolithicFlat'],
  ['vmdk', 'vmdk', 'subformat=twoGbMaxExtentSparse'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['qcow2', 'qcow2', 'compat=0.10'],
  ['qcow2', 'qcow2', 'compression_type=zstd'],
  ['raw', 'raw', ''],
];

test.each(sources)('a %s source (%s, %s) is copied as it is', async (format, driver, options) => {
  await withTempFolder(async (folder) => {
    const original = path.join(folder, 'original.raw');
    const bytes = Buffer.alloc(12 * mib);
    randomBytes(3 * mib).copy(bytes, mib);
    randomBytes(512).copy(bytes, 12 * mib - 512);
    await writeFile(original, bytes);
    const source = path.join(folder, 'source.img');
    const compress = options.includes('zstd') ? ['-c'] : [];
    const target = options === '' ? [] : ['-o', options];
    await qemuImg('convert', ...compress, '-f', 'raw', '-O', driver, ...target, original, source);
    const before = await sha256Of(source);
    const chain = await openChain({ rootPath: folder, path: 'source.img', format });
    const copied = await copyTo(folder, chain, 'qcow2');
    expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', original, copied)).toContain('identical');
    expect(await sha256Of(source)).toBe(before);
  });
});

/** What happens to a damaged image from the opening to the last byte: `done`, or the code that stopped it. */
async function runThrough(folder: string): Promise<string> {
  try {
    const chain = await openChain({ rootPath: folder, path: 'disk.qcow2', format: 'qcow2' });
    await analyzeChain(chain, { diskIndex: 0, workDir: folder, signal: AbortSignal.timeout(50_000) });
    await copyTo(folder, chain, 'raw');
    return 'done';
  } catch (cause) {
    return isAppError(cause) ? cause.code : String(cause);
  }
}

test('a damaged image ends in a copy or in a coded error, with nothing written to it and nothing left running', async () => {
  await withTempFolder(async (template) => {
    const file = path.join(template, 'disk.qcow2');
    const writes = [
      { offsetBytes: 0, lengthBytes: mib, fill: 1 },
      { offsetBytes: 20 * mib, lengthBytes: mib, fill: 2 },
    ];
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 64 * mib, writes });
    const whole = await readFile(file);
    // Header, refcount table, refcount block, L1 table, first L2 table: where a wrong number does most.
    const places = [0, 1, 2, 3, 4].map((cluster) => cluster * 65_536);
    const hit = fc.tuple(fc.constantFrom(...places), fc.nat(300), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff));
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(hit, { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(whole.length)),
        async (hits, cut) => {
          await withTempFolder(async (folder) => {
            const damaged = path.join(folder, 'disk.qcow2');
            await writeFile(damaged, cut === null ? whole : whole.subarray(0, cut));
            const handle = await open(damaged, 'r+');
            for (const [place, distance, value] of hits)
              await handle.write(Buffer.of(value), 0, 1, place + distance);
            await handle.close();
            const before = await sha256Of(damaged);
            const outcome = await runThrough(folder);
            outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
            expect(outcome).toMatch(/^(done|DISK_[A-Z_]+)$/);
            expect(await sha256Of(damaged)).toBe(before);
            const left = (await readdir(folder)).toSorted((a, b) => a.localeCompare(b));
            expect(left).toEqual(outcome === 'done' ? ['disk.qcow2', 'out.raw'] : ['disk.qcow2']);
          });
        },
      ),
      { numRuns: 40 },
    );
    expect(outcomes.size).toBeGreaterThan(2);
  });
});

test('a server that dies amid a copy ends the copy with a code', async () => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.qcow2');
    const writes = [{ offsetBytes: 0, lengthBytes: 32 * mib, fill: 1 }];
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 64 * mib, writes });
    const chain = await openChain({ rootPath: folder, path: 'disk.qcow2', format: 'qcow2' });
    const { sink } = await openFileSink({
      finalPath: path.join(folder, 'out.raw'),
      format: 'raw',
      sizeBytes: 64 * mib,
      resume: false,
      workDir: folder,
    });
    let killed = false;
    const killServer = async (): Promise<void> => {
      if (killed) return;
      killed = true;
      const { stdout } = await runProcess({ program: 'pgrep', args: ['-f', `qemu-nbd.*${folder}/work`] });
      process.kill(Number(stdout.split('\n')[0]), 'SIGKILL');
    };
    const copying = copyDisk({
      image: { chain, overlays: [] },
      // What is read directly does not need the server.
      engine: 'nbd',
      sink,
      targetSizeBytes: 64 * mib,
      workDir: path.join(folder, 'work'),
      signal: AbortSignal.timeout(50_000),
      bandwidthBytesPerSecond: 8 * mib,
      resumeFromBytes: 0,
      onProgress: () => void killServer(),
      onConfirmed: () => Promise.resolve(),
    });
    await expect(copying).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
    await sink.abort();
    expect(await readdir(path.join(folder, 'work'))).toEqual([]);
  });
});
