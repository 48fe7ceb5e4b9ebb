import { readdir, readFile, rm, truncate } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { expect, test } from 'vitest';
import { makeImage } from '../testing/images.ts';
import { cutExport, expectSameDisk, withExportBench } from '../testing/exportBench.ts';
import { convertToStaged } from './convertToStaged.ts';
import { copyToStaged, type WriteStaged } from './copyToStaged.ts';

const mib = 1024 * 1024;

const refuse: WriteStaged = (run) => {
  const message = `write ${run.plan.params.format}: not here`;
  return Promise.reject(new AppError({ code: 'DISK_TARGET_UNSUPPORTED', message }));
};

test.each(['auto', 'nbd', 'qemu-img'] as const)(
  'a cut file of the chain is refused by engine %s before anything is written',
  async (engine) => {
    await withExportBench(async (bench) => {
      const full = path.join(bench.folder, 'backup', 'full.qcow2');
      await truncate(full, 8 * mib);
      await expect(bench.plan('raw', { engine })).rejects.toMatchObject({ code: 'DISK_IMAGE_TRUNCATED' });
      expect(await readdir(path.join(bench.folder, 'out'))).toEqual([]);
    });
  },
);

test.each([
  ['direct', 'vhdx'],
  ['nbd', 'vmdk'],
  ['own', 'vhd'],
  ['qemu-img', 'vmdk'],
  ['qemu-img', 'qcow2-zstd'],
] as const)('engine %s writes the same disk as %s', async (engine, format) => {
  await withExportBench(async (bench) => {
    const plan = await bench.plan(format, { engine, verify: 'read-back' });
    const progress: number[] = [];
    const result = await bench.run(plan, {
      onProgress: ({ phase, bytesDone }) => void (phase === 'copy' && progress.push(bytesDone)),
    });
    await expectSameDisk(bench, format, result.finalPath);
    expect(result.engine).toBe(engine === 'qemu-img' ? 'qemu-img' : 'own');
    expect(result.verify.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(progress.at(-1)).toBe(plan.survey.dataBytes);
    expect(result.remarks.join()).toContain(engine === 'qemu-img' ? 'not resumable' : '');
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
  });
});

test.each(['own', 'qemu-img'] as const)(
  'a VMDK by engine %s records the name under which it stands',
  async (engine) => {
    await withExportBench(async (bench) => {
      const { finalPath } = await bench.run(await bench.plan('vmdk', { engine }));
      const head = (await readFile(finalPath)).toString('latin1', 0, 65_536);
      expect(/SPARSE "([^"]*)"/.exec(head)?.[1]).toBe('disk');
    });
  },
);

test('qemu-img that is cancelled leaves nothing, and a resume by it starts at zero and says so', async () => {
  await withExportBench(async (bench) => {
    const stop = new AbortController();
    const plan = await bench.plan('raw', { engine: 'qemu-img', bandwidthBytesPerSecond: 8 * mib });
    const cancelled = bench.run(plan, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual([]);
    await cutExport(bench, 'raw');
    const result = await bench.run(await bench.plan('raw', { engine: 'qemu-img', resume: true }));
    expect(result.remarks.join()).toContain('starts at zero: qemu-img');
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
  });
});

test('what our encoder refuses is written by qemu-img, what both refuse as raw under a name that says so', async () => {
  await withExportBench(async (bench) => {
    const writeRaw: WriteStaged = async (run, from) =>
      await (run.plan.params.format === 'raw' ? copyToStaged : refuse)(run, from);
    const plan = await bench.plan('vhdx', { verify: 'read-back' });
    const second = await bench.run(plan, { writers: { own: refuse, 'qemu-img': convertToStaged } });
    expect(second).toMatchObject({ engine: 'qemu-img', format: 'vhdx', finalPath: plan.files.finalPath });
    expect(second.remarks.join()).toContain('the own encoder refused');
    await rm(second.finalPath);
    const last = await bench.run(plan, { writers: { own: writeRaw, 'qemu-img': refuse } });
    expect(last).toMatchObject({ engine: 'own', format: 'raw', finalPath: `${plan.files.finalPath}.raw` });
    expect(last.remarks.join()).toContain('written as raw');
    await expectSameDisk(bench, 'raw', last.finalPath);
    const meant = await bench.plan('vhdx', { engine: 'own' });
    const writers = { own: refuse, 'qemu-img': convertToStaged };
    await expect(bench.run(meant, { writers })).rejects.toMatchObject({ code: 'DISK_TARGET_UNSUPPORTED' });
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk.raw']);
  });
});

test('a disk that its format cannot hold is refused before anything is read, by every engine', async () => {
  await withExportBench(async (bench) => {
    const file = path.join(bench.folder, 'backup', 'large.qcow2');
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 2041 * 1024 * mib });
    for (const engine of ['auto', 'qemu-img'] as const) {
      await expect(bench.plan('vhd', { file, engine })).rejects.toMatchObject({ code: 'DISK_FORMAT_LIMIT' });
    }
  });
});
