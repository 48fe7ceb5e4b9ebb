import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import {
  blockdevArgument,
  exportDisk,
  imageBlockdev,
  inspectDisk,
  openPoint,
  planExport,
  type DiskSource,
  type FileFormat,
} from '@ascend/disk';
import { withTempFolder } from '@ascend/disk/testing';
import { isAppError, printable, type AppError } from '@ascend/errors';
import { firmwareOf, readLayout } from '@ascend/guest';
import { runProcess } from '@ascend/runtime';
import { expect } from 'vitest';
import type { BrokenImage } from './corpus/brokenImage.ts';
import { expectCheap, expectNoProcess, measured } from './watch.ts';

/** Formats that every image of the corpus is exported to. */
export const exportedFormats = ['raw', 'qcow2', 'vmdk-stream'] as const satisfies readonly FileFormat[];

// A failure when it fires, no measure of speed.
const deadlineMs = 120_000;
// Larger disks are only compared where both sides keep their holes.
const maxComparedBytes = 1024 ** 3;
const drivers: Readonly<Partial<Record<FileFormat, string>>> = {
  raw: 'raw',
  qcow2: 'qcow2',
  'vmdk-stream': 'vmdk',
};

/** Characters that a terminal obeys instead of showing them. */
const controls = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Is it an error that an operator can act on: a code of the disk area, and a message that names a file of the case? */
function expectCoded(error: unknown, files: readonly string[]): AppError {
  if (!isAppError(error)) throw error;
  expect(error.code, error.stack).toMatch(/^DISK_/);
  expect(error.message, 'control characters are escaped').not.toMatch(controls);
  const names = files.map((file) => printable(path.basename(file)));
  expect(
    names.some((name) => error.message.includes(name)),
    `${JSON.stringify(error.message)} names none of ${names.join(', ')}`,
  ).toBe(true);
  return error;
}

interface Place {
  readonly image: string;
  readonly repository: string;
  readonly outFolder: string;
  readonly workDir: string;
  readonly files: readonly string[];
}

async function examine(source: DiskSource): Promise<string> {
  const layout = await readLayout([
    {
      diskIndex: 0,
      source: {
        sizeBytes: source.sizeBytes,
        read: async (offsetBytes, length) => {
          const target = Buffer.alloc(length);
          if (length > 0) await source.readInto(offsetBytes, target);
          return target;
        },
      },
    },
  ]);
  return firmwareOf(layout.tables.get(0));
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(deadlineMs);
}

/** Inspects one image; returns the code of what is wrong with it, `sound` when nothing is. */
async function inspectOne(place: Place): Promise<string> {
  const { image, workDir, files } = place;
  try {
    const disk = await inspectDisk({
      file: image,
      repositoryRoot: null,
      sourceFormat: null,
      workDir,
      signal: deadline(),
      examine,
    });
    return disk.problem === null ? 'sound' : expectCoded(disk.problem, files).code;
  } catch (cause) {
    return expectCoded(cause, files).code;
  }
}

/** Exports one image; returns the code of the failure, or the path of the file. */
async function exportOne(
  place: Place,
  format: FileFormat,
): Promise<{ code: string } | { path: string; sizeBytes: number }> {
  const { image, outFolder, workDir, files } = place;
  const signal = deadline();
  const finalPath = path.join(outFolder, `disk.${format}`);
  try {
    const plan = await planExport({
      file: image,
      repositoryRoot: null,
      sourceFormat: null,
      format,
      engine: 'auto',
      finalPath,
      makeFolder: false,
      verify: 'none',
      bandwidthBytesPerSecond: null,
      resume: false,
      workDir,
      signal,
    });
    const done = await exportDisk(plan, { signal, onProgress: () => undefined, onRemark: () => undefined });
    expect(await readdir(outFolder)).toEqual([path.basename(finalPath)]);
    return { path: finalPath, sizeBytes: done.sizeBytes };
  } catch (cause) {
    const { code } = expectCoded(cause, [...files, finalPath]);
    expect(await readdir(outFolder), `left after ${code}`).toEqual([]);
    return { code };
  }
}

/** What `qemu-img convert` makes of the image; null when it refuses. */
async function reference(place: Place): Promise<string | null> {
  const chain = await openPoint({ file: place.image, repositoryRoot: null, sourceFormat: null });
  const target = path.join(place.workDir, 'reference.qcow2');
  const done = await runProcess({
    program: 'qemu-img',
    args: ['convert', '-O', 'qcow2', blockdevArgument(imageBlockdev(chain)), target],
    okExitCodes: [0, 1],
    signal: deadline(),
  });
  return done.exitCode === 0 ? target : null;
}

async function compare(written: string, format: FileFormat, other: string): Promise<void> {
  const done = await runProcess({
    program: 'qemu-img',
    args: ['compare', '-f', drivers[format] ?? format, '-F', 'qcow2', written, other],
    okExitCodes: [0, 1],
    signal: deadline(),
  });
  expect(done.stdout.trim(), `${format} and qemu-img convert`).toMatch(/^Images are identical\.$/m);
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.length > 20 ? [...names.slice(0, 5), path.basename(folder)] : names;
}

/** How inspect and the exports of one image ended. */
export interface CaseOutcome {
  readonly inspected: string;
  readonly exported: Readonly<Record<string, string>>;
}

async function runIn(base: string, one: BrokenImage, formats: readonly FileFormat[]): Promise<CaseOutcome> {
  const [repository, outFolder, workDir] = [
    path.join(base, 'repo'),
    path.join(base, 'out'),
    path.join(base, 'work'),
  ];
  for (const folder of [repository, outFolder, workDir]) await mkdir(folder);
  const image = await one.make(repository);
  const place: Place = {
    image,
    repository,
    outFolder,
    workDir,
    files: [...(await listFiles(repository)), image],
  };
  const exported: Record<string, string> = {};
  const { value: inspected, cost } = await measured(() => inspectOne(place));
  expectCheap(cost, 'inspect');
  if (one.code !== undefined) expect(inspected).toBe(one.code);
  let other: string | null | undefined;
  for (const format of formats) {
    const run = await measured(() => exportOne(place, format));
    expectCheap(run.cost, `export to ${format}`);
    const result = run.value;
    exported[format] = 'code' in result ? result.code : 'exported';
    if (one.code !== undefined) expect(exported[format]).toBe(one.code);
    if ('code' in result) continue;
    if (result.sizeBytes <= maxComparedBytes) {
      other = other === undefined ? await reference(place) : other;
      if (other !== null) await compare(result.path, format, other);
    }
    await rm(result.path);
  }
  await rm(path.join(workDir, 'reference.qcow2'), { force: true });
  expect(await readdir(workDir), 'left in the work folder').toEqual([]);
  await expectNoProcess(base);
  return { inspected, exported };
}

/**
 * Takes one broken image through inspect and through the exports and checks what must hold for every one: an end before the deadline, a
 * coded error that names the file or the bytes that `qemu-img convert` gives, nothing left behind, and a process that stays alive to others.
 */
export async function expectHandled(
  one: BrokenImage,
  formats: readonly FileFormat[] = exportedFormats,
): Promise<CaseOutcome> {
  return await withTempFolder(async (base) => {
    try {
      return await runIn(base, one, formats);
    } catch (cause) {
      throw new Error(`${one.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  });
}
