import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { connectNbd, fileBlockdev, serveNbd } from '@ascend/disk';
import { runProcess } from '@ascend/runtime';
import { createContent, createRandom, type Content, type Random } from './content.ts';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;
const clusterBytes = 64 * kib;
// Raise it when the generator changes: older files are then made anew.
const generation = 2;

/** The files every measurement reads. Sizes follow `scale` (1 = the sizes of the definition). */
export interface BenchImages {
  readonly folder: string;
  /** Base of the chain: 20 GiB virtual, 4 GiB of data in about 3,000 extents. */
  readonly full: string;
  /** The point in time: 300 MiB changed in about 540 extents. */
  readonly inc: string;
  /** 1 TiB virtual, 2 GiB of data in about 2,200 extents. */
  readonly big: string;
  /** 65,536 single clusters in random host order. */
  readonly frag: string;
  /** A base of about 1 GiB of data: for what deflates. */
  readonly small: string;
}

interface Spread {
  readonly virtualBytes: number;
  readonly dataBytes: number;
  readonly largestBytes: number;
}

/** Extents of log-uniform length at random aligned places, without overlap, in disk order. */
function placeExtents(random: Random, spread: Spread): { offset: number; length: number }[] {
  const taken = new Set<number>();
  const found: { offset: number; length: number }[] = [];
  const steps = Math.log2(spread.largestBytes / clusterBytes);
  for (let bytes = 0; bytes < spread.dataBytes;) {
    const length = Math.floor(2 ** (random.next() * steps)) * clusterBytes;
    const first = random.between(0, (spread.virtualBytes - length) / clusterBytes);
    const clusters = Array.from({ length: length / clusterBytes }, (_, index) => first + index);
    if (clusters.some((cluster) => taken.has(cluster))) continue;
    for (const cluster of clusters) taken.add(cluster);
    found.push({ offset: first * clusterBytes, length });
    bytes += length;
  }
  return found.toSorted((a, b) => a.offset - b.offset);
}

/** Writes through a block server, so that written zeros stay allocated as a backup product would leave them. */
async function fill(
  file: string,
  workDir: string,
  writes: Iterable<{ offset: number; length: number }>,
  content: Content,
  image: Readonly<Record<string, unknown>> = fileBlockdev(file, 'qcow2', { readOnly: false }),
): Promise<void> {
  const server = await serveNbd({ blockdev: image, writable: true, connections: 1, workDir });
  try {
    const client = await connectNbd({ socketPath: server.socketPath, exportName: server.exportName });
    for (const { offset, length } of writes) await client.write(offset, content.next(length));
    await client.flush();
    await client.close();
  } finally {
    await server.close();
  }
}

async function create(file: string, sizeBytes: number, backing?: string): Promise<void> {
  const base = backing === undefined ? [] : ['-b', backing, '-F', 'qcow2'];
  await runProcess({
    program: 'qemu-img',
    args: ['create', '-q', '-f', 'qcow2', ...base, file, String(sizeBytes)],
  });
}

/** Makes a file once: under another name first, so that a cut leaves nothing that looks whole. */
async function once(file: string, make: (partial: string) => Promise<void>): Promise<void> {
  if ((await stat(file).catch(() => null)) !== null) return;
  process.stderr.write(`making ${file}\n`);
  const partial = `${file}.partial`;
  await rm(partial, { force: true });
  await make(partial);
  await rename(partial, file);
}

const usual = { noise: 0.44, text: 0.46 } as const;

/**
 * The images of the benchmark below `cacheDir`, made when missing (about 12 GB at scale 1). Deterministic by seed and scale.
 */
export async function benchImages(cacheDir: string, scale: number): Promise<BenchImages> {
  const folder = join(cacheDir, `bench-${generation}-${scale}`);
  const workDir = join(folder, 'work');
  await mkdir(workDir, { recursive: true });
  const at = (name: string): string => join(folder, `${name}.qcow2`);
  const scaled = (bytes: number): number => Math.ceil((bytes * scale) / clusterBytes) * clusterBytes;
  const virtualBytes = scaled(20 * gib);
  const plain = async (name: string, seed: number, spread: Spread): Promise<void> =>
    once(at(name), async (file) => {
      await create(file, spread.virtualBytes);
      await fill(file, workDir, placeExtents(createRandom(seed), spread), createContent(seed, usual));
    });
  await plain('full', 1, { virtualBytes, dataBytes: scaled(4 * gib), largestBytes: 8 * mib });
  await plain('small', 2, { virtualBytes: scaled(5 * gib), dataBytes: scaled(gib), largestBytes: 8 * mib });
  await plain('big', 3, { virtualBytes: 1024 * gib, dataBytes: scaled(2 * gib), largestBytes: 4 * mib });
  await once(at('inc'), async (file) => {
    await create(file, virtualBytes, 'full.qcow2');
    const spread = { virtualBytes, dataBytes: scaled(300 * mib), largestBytes: 4 * mib };
    const backing = fileBlockdev(at('full'), 'qcow2');
    const image = { ...fileBlockdev(file, 'qcow2', { readOnly: false }), backing };
    await fill(file, workDir, placeExtents(createRandom(4), spread), createContent(4, usual), image);
  });
  await once(at('frag'), async (file) => {
    await create(file, virtualBytes);
    const random = createRandom(5);
    const clusters = new Set<number>();
    const count = Math.ceil(65_536 * scale);
    // Every second cluster at most, in the order of chance: neighbours on the disk lie far apart in the file.
    while (clusters.size < count) clusters.add(random.between(0, virtualBytes / clusterBytes / 2 - 1) * 2);
    const writes = [...clusters].map((cluster) => ({ offset: cluster * clusterBytes, length: clusterBytes }));
    await fill(file, workDir, writes, createContent(5, { noise: 0.5, text: 0.5 }));
  });
  return { folder, full: at('full'), inc: at('inc'), big: at('big'), frag: at('frag'), small: at('small') };
}
