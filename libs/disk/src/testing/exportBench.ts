import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { fileFacts } from '../estimate/fileFacts.ts';
import type { RunExportParams } from '../export/copyToStaged.ts';
import { exportDisk } from '../export/exportDisk.ts';
import { planExport, type ExportPlan, type PlanExportParams } from '../export/planExport.ts';
import type { FileFormat } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, withTempFolder } from './images.ts';

const mib = 1024 * 1024;
const qemuDrivers: Readonly<Record<string, string>> = { vhd: 'vpc' };

/** A chain of two files, and exports of its top into the folder `out`. */
export interface ExportBench {
  readonly folder: string;
  readonly top: string;
  readonly plan: (format: FileFormat, more?: Partial<PlanExportParams>) => Promise<ExportPlan>;
  readonly run: (plan: ExportPlan, more?: Partial<RunExportParams>) => ReturnType<typeof exportDisk>;
}

/** Makes the chain, runs, and looks that no file of a server is left. */
export async function withExportBench(run: (bench: ExportBench) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const backup = path.join(folder, 'backup');
    await mkdir(backup);
    await mkdir(path.join(folder, 'out'));
    const full = path.join(backup, 'full.qcow2');
    const top = path.join(backup, 'inc.qcow2');
    const sizeBytes = 64 * mib;
    const data = [{ offsetBytes: mib, lengthBytes: 30 * mib, fill: 1 }];
    const dirty = [
      { offsetBytes: 50 * mib, lengthBytes: 6 * mib, fill: 2 },
      { offsetBytes: 2 * mib, lengthBytes: 65_536, fill: 'zero' as const },
    ];
    await makeImage({ path: full, format: 'qcow2', sizeBytes, writes: data });
    await makeImage({ path: top, format: 'qcow2', sizeBytes, backing: full, writes: dirty });
    const { signal } = new AbortController();
    const workDir = path.join(folder, 'work');
    await run({
      folder,
      top,
      plan: (format, more = {}) =>
        planExport({
          file: top,
          repositoryRoot: null,
          sourceFormat: null,
          format,
          engine: 'auto',
          finalPath: path.join(folder, 'out', 'disk'),
          makeFolder: false,
          verify: 'none',
          bandwidthBytesPerSecond: null,
          resume: false,
          workDir,
          signal,
          ...more,
        }),
      run: (plan, more = {}) =>
        exportDisk(plan, { signal, onProgress: () => undefined, onRemark: () => undefined, ...more }),
    });
    expect(await readdir(workDir).catch(() => [])).toEqual([]);
  });
}

/** Runs slowly until a part is confirmed, then cancels; the error it ended with. */
export async function cutExport(bench: ExportBench, format: FileFormat): Promise<unknown> {
  const stop = new AbortController();
  const slow = { bandwidthBytesPerSecond: 24 * mib, confirmEveryMs: 50 };
  const plan = await bench.plan(format, slow);
  const running = bench.run(plan, {
    signal: stop.signal,
    onProgress: () => {
      if (existsSync(plan.files.checkpointPath)) stop.abort();
    },
  });
  return await running.then(
    () => null,
    (cause: unknown) => cause,
  );
}

/** Is the file the same disk as the top of the chain, as QEMU reads both? */
export async function expectSameDisk(
  bench: ExportBench,
  format: FileFormat,
  filePath: string,
): Promise<void> {
  const { readAs } = fileFacts[format];
  const driver = qemuDrivers[readAs] ?? readAs;
  expect(await qemuImg('compare', '-f', 'qcow2', '-F', driver, bench.top, filePath)).toContain('identical');
}
