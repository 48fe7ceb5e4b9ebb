import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkVhdx,
  copyDisk,
  exportAppliance,
  fileFacts,
  fileFormats,
  openFileSink,
  openPoint,
  openSource,
  planAppliance,
  surveyDisk,
  verifyDisk,
  type DiskImage,
  type DiskSource,
  type FileFormat,
} from '@ascend/disk';
import { diskOf, qemuImg, randomDisk, writeImage, type ImageWrite } from '@ascend/disk/testing';
import type { SourceFormat, VmSpec } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const mib = 1024 * 1024;
const sizeBytes = 24 * mib;
const { signal } = new AbortController();

let dir: string;
let workDir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-matrix-'));
  workDir = join(dir, 'work');
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function driverOf(format: FileFormat | SourceFormat): string {
  const readAs = Object.hasOwn(fileFacts, format)
    ? // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is one of its keys
      fileFacts[format as FileFormat].readAs
    : format;
  return readAs === 'vhd' ? 'vpc' : readAs;
}

/** What every source of the table holds: a place for each value, pieces that do not end on clusters, and zeros that are written. */
const writes: readonly ImageWrite[] = [
  { offsetBytes: 0, lengthBytes: 3 * mib, fill: 1 },
  { offsetBytes: 5 * mib + 512, lengthBytes: mib + 1024, fill: 2 },
  { offsetBytes: 12 * mib, lengthBytes: 65_536, fill: 0 },
  { offsetBytes: 14 * mib, lengthBytes: 2 * mib, fill: 3 },
  { offsetBytes: sizeBytes - 512, lengthBytes: 512, fill: 4 },
];

interface Source {
  readonly name: string;
  readonly format: SourceFormat;
  /** Makes it out of the reference, a raw file; returns the top file. */
  readonly make: (reference: string, folder: string) => Promise<string>;
}

function converted(name: string, format: SourceFormat, options: readonly string[]): Source {
  return {
    name,
    format,
    make: async (reference, folder) => {
      const file = join(folder, `disk.${format}`);
      await qemuImg('convert', '-f', 'raw', '-O', driverOf(format), ...options, reference, file);
      return file;
    },
  };
}

const chain: Source = {
  name: 'QCOW2 chain',
  format: 'qcow2',
  make: async (reference, folder) => {
    const [full, inc, top] = ['full', 'inc', 'top'].map((name) => join(folder, `${name}.qcow2`));
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', reference, full!);
    // What the increments change is what the reference says: first other data, then the true one.
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', full!, '-F', 'qcow2', inc!);
    await writeImage(inc!, 'qcow2', [
      { offsetBytes: mib, lengthBytes: mib, fill: 99 },
      { offsetBytes: 8 * mib, lengthBytes: mib, fill: 98 },
    ]);
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', inc!, '-F', 'qcow2', top!);
    await writeImage(top!, 'qcow2', [
      { offsetBytes: mib, lengthBytes: mib, fill: 1 },
      { offsetBytes: 8 * mib, lengthBytes: mib, fill: 'zero' },
    ]);
    return top!;
  },
};

const sources: readonly Source[] = [
  chain,
  converted('compressed QCOW2', 'qcow2', ['-c']),
  converted('QCOW2 compressed by zstd', 'qcow2', ['-c', '-o', 'compression_type=zstd']),
  converted('QCOW2 with extended L2', 'qcow2', ['-o', 'extended_l2=on,cluster_size=128k']),
  converted('fixed VHD', 'vhd', ['-o', 'subformat=fixed,force_size=on']),
  converted('dynamic VHD', 'vhd', ['-o', 'subformat=dynamic,force_size=on']),
  converted('VHDX', 'vhdx', []),
  converted('sparse VMDK', 'vmdk', ['-o', 'subformat=monolithicSparse']),
  converted('flat VMDK', 'vmdk', ['-o', 'subformat=monolithicFlat']),
  converted('streamOptimized VMDK', 'vmdk', ['-o', 'subformat=streamOptimized']),
  converted('RAW', 'raw', []),
];

/** Copies an open source into a file of a format. */
async function copyTo(source: DiskSource, format: FileFormat, finalPath: string): Promise<string | null> {
  const size = source.sizeBytes;
  const survey = await surveyDisk(source, 65_536);
  const { sink } = await openFileSink({ finalPath, format, sizeBytes: size, resume: false, workDir, survey });
  try {
    const { sha256 } = await copyDisk({
      source,
      sink,
      targetSizeBytes: size,
      workDir,
      signal,
      bandwidthBytesPerSecond: null,
      resumeFromBytes: 0,
      onProgress: () => undefined,
      onConfirmed: () => Promise.resolve(),
    });
    await sink.finish();
    return sha256;
  } catch (cause) {
    await sink.abort();
    throw cause;
  }
}

const checkable = new Set(['qcow2', 'vmdk', 'vhdx']);

/** Is the file the disk of the reference, and sound where QEMU has a check for its format? */
async function expectDisk(reference: string, file: string, format: FileFormat): Promise<void> {
  const driver = driverOf(format);
  const compared = await qemuImg('compare', '-f', 'raw', '-F', driver, reference, file);
  expect(compared, format).toContain('identical');
  await checkSound(file, format);
}

/** QEMU's check of a file, where it has one for the format. */
async function checkSound(file: string, format: FileFormat): Promise<void> {
  const driver = driverOf(format);
  if (!checkable.has(driver)) return;
  await runProcess({ program: 'qemu-img', args: ['check', '-q', '-f', driver, file] });
}

async function openDisk(file: string, format: SourceFormat): Promise<DiskImage> {
  return await openPoint({ file, repositoryRoot: null, sourceFormat: format });
}

function specFor(disks: number): VmSpec {
  return {
    name: 'web',
    cpuCount: 1,
    coresPerSocket: null,
    memoryBytes: 512 * mib,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: Array.from({ length: disks }, (_, diskIndex) => ({
      diskIndex,
      sizeBytes,
      bus: null,
      bootOrder: null,
      vmwareDiskKey: null,
    })),
    nics: [],
    osId: null,
    notes: null,
    tags: {},
  };
}

const nothing = (): void => undefined;

/** Packs disks as an appliance, takes them out of it and compares. */
async function expectAppliance(reference: string, top: string, format: SourceFormat, folder: string) {
  const plan = await planAppliance({
    chains: [top, top],
    spec: specFor(2),
    repositoryRoot: null,
    sourceFormat: format,
    engine: 'auto',
    finalPath: join(folder, 'web.ova'),
    verify: 'none',
    bandwidthBytesPerSecond: null,
    resume: false,
    workDir,
    signal,
  });
  const { finalPath } = await exportAppliance(plan, { signal, onProgress: nothing, onRemark: nothing });
  await runProcess({ program: 'tar', args: ['-xf', finalPath, '-C', folder] });
  for (const name of ['web-disk1.vmdk', 'web-disk2.vmdk']) {
    await expectDisk(reference, join(folder, name), 'vmdk-stream');
  }
}

describe.each(sources)('$name', ({ name, format, make }) => {
  it('becomes the same disk in every format, and in an appliance', async () => {
    const folder = join(dir, name.replaceAll(' ', '-'));
    const out = join(folder, 'out');
    await mkdir(out, { recursive: true });
    const reference = join(folder, 'reference.raw');
    await qemuImg('create', '-q', '-f', 'raw', reference, String(sizeBytes));
    await writeImage(reference, 'raw', writes);
    const top = await make(reference, folder);
    const digests = new Set<string | null>();
    const source = await openSource({ image: await openDisk(top, format), workDir, signal });
    try {
      for (const target of fileFormats) {
        const file = join(out, target);
        digests.add(await copyTo(source, target, file));
        await expectDisk(reference, file, target);
        await rm(file);
      }
      await source.assertUnchanged();
    } finally {
      await source.close();
    }
    // One disk, one digest, whatever the format.
    expect(digests.size).toBe(1);
    await expectAppliance(reference, top, format, out);
    await rm(folder, { recursive: true });
  });
});

it('any disk becomes the same disk in every format', async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(randomDisk(20_000), async (plan) => {
      const folder = join(dir, `random${(round += 1)}`);
      await mkdir(folder);
      const reference = join(folder, 'reference.raw');
      const handle = await open(reference, 'w');
      await handle.writeFile(diskOf(plan));
      await handle.close();
      const digests = new Set<string | null>();
      const source = await openSource({ image: await openDisk(reference, 'raw'), workDir, signal });
      try {
        for (const format of fileFormats) {
          const file = join(folder, format);
          digests.add(await copyTo(source, format, file));
          await expectDisk(reference, file, format);
        }
        expect(digests.size).toBe(1);
      } finally {
        await source.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 20, seed: 20_261_121 },
  );
});

function isVhd(format: FileFormat): boolean {
  return fileFacts[format].readAs === 'vhd';
}

it('a disk above 2 TiB becomes the same disk in every format that can hold it, and VHD refuses it', async () => {
  const folder = join(dir, 'large');
  await mkdir(folder);
  const size = 2.25 * 1024 * 1024 * mib + 512 * 3;
  const top = join(folder, 'large.qcow2');
  const reference = join(folder, 'reference.raw');
  const data = [0, 1024 * 1024 * mib, 2 * 1024 * 1024 * mib + 4096, size - 65_536 - 512].map(
    (offsetBytes, index) => ({ offsetBytes, lengthBytes: 65_536, fill: index + 1 }),
  );
  for (const [file, format] of [
    [top, 'qcow2'],
    [reference, 'raw'],
  ] as const) {
    await qemuImg('create', '-q', '-f', format, file, String(size));
    await writeImage(file, format, data);
  }
  const source = await openSource({ image: await openDisk(top, 'qcow2'), workDir, signal });
  try {
    for (const format of fileFormats.filter((one) => !isVhd(one))) {
      const file = join(folder, format);
      const sha256 = await copyTo(source, format, file);
      // QEMU's own comparison tells no holes of a VHDX, and those of a VMDK slowly: ours reads by QEMU what the tables name.
      const target = { path: file, format: fileFacts[format].readAs };
      const report = await verifyDisk({ source, target, mode: 'read-back', workDir, signal });
      expect(report.sha256, format).toBe(sha256);
      expect(report.comparedBytes, format).toBeLessThan(1024 * mib);
      await checkSound(file, format);
    }
    expect((await checkVhdx(join(folder, 'vhdx'))).problems).toEqual([]);
    await expectDisk(reference, join(folder, 'qcow2'), 'qcow2');
    for (const format of fileFormats.filter(isVhd)) {
      await expect(copyTo(source, format, join(folder, format))).rejects.toMatchObject({
        code: 'DISK_FORMAT_LIMIT',
      });
      expect(await readdir(folder)).not.toContain(format);
    }
  } finally {
    await source.close();
  }
});
