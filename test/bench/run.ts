import { once } from 'node:events';
import { open, rm, stat, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  borrowDisk,
  copyDelta,
  copyDisk,
  copyInWorker,
  createStreamSink,
  openChain,
  openFileSink,
  openHttpOutput,
  openSource,
  surveyDisk,
  type DiskImage,
  type DiskSink,
  type FileFormat,
  type SourceEngine,
} from '@ascend/disk';
import { runProcess, Secret } from '@ascend/runtime';
import { z } from 'zod';
import { streamSinkModule } from './streamSinkModule.ts';

// What the benchmark measures of ours, one work per process: `run.ts WORK IMAGE …`. The last line it prints is JSON (see measure.ts).

const signal = new AbortController().signal;
const nothing = async (): Promise<void> => {
  await Promise.resolve();
};

async function imageOf(file: string): Promise<DiskImage> {
  const chain = await openChain({ rootPath: dirname(file), path: basename(file), format: 'qcow2' });
  return { chain, overlays: [] };
}

function nullSink(): DiskSink {
  const sink = {
    write: nothing,
    writeZeros: nothing,
    flush: nothing,
    finish: nothing,
    abort: nothing,
    suspend: nothing,
  };
  return { alignmentBytes: 512, resumable: true, ordered: false, ...sink };
}

async function copyTo(
  image: DiskImage,
  engine: SourceEngine,
  sink: DiskSink,
  workDir: string,
): Promise<number> {
  const { bytesCopied } = await copyDisk({
    image,
    sink,
    engine,
    digest: 'none',
    targetSizeBytes: image.chain.virtualSizeBytes,
    workDir,
    signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: nothing,
  });
  await sink.finish();
  return bytesCopied;
}

/** As over TLS, where each record has its own proof: the frames' checksum covers their heads. `data`: as in the clear. */
function streamSink(url: string, sizeBytes: number, checksum: 'heads' | 'data' = 'heads'): DiskSink {
  const output = openHttpOutput({ url, method: 'POST', lengthBytes: null });
  return createStreamSink({ output, sizeBytes, mode: 'extents', checksum });
}

function engineOf(name: string | undefined): SourceEngine {
  return name === 'nbd' || name === 'direct' ? name : 'auto';
}

function formatOf(name: string | undefined): FileFormat {
  const formats = ['raw', 'qcow2', 'qcow2-zstd', 'vmdk', 'vmdk-stream', 'vhd', 'vhd-fixed', 'vhdx'] as const;
  const format = formats.find((one) => one === name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}

async function toFile(
  image: DiskImage,
  format: FileFormat,
  target: string,
  workDir: string,
): Promise<number> {
  const source = await openSource({ image, workDir, signal });
  const survey = await surveyDisk(source, 65_536);
  await source.close();
  const sizeBytes = image.chain.virtualSizeBytes;
  const { sink } = await openFileSink({
    finalPath: target,
    format,
    sizeBytes,
    resume: false,
    workDir,
    survey,
  });
  await copyTo(image, 'auto', sink, workDir);
  return (await stat(target)).size;
}

async function sync(target: string): Promise<void> {
  const handle = await open(target, 'r+');
  await handle.sync();
  await handle.close();
}

async function convert(
  image: string,
  target: string,
  format: string,
  options: readonly string[],
): Promise<number> {
  await runProcess({
    program: 'qemu-img',
    args: ['convert', '-O', format, ...options, '-f', 'qcow2', image, target],
  });
  await sync(target);
  return (await stat(target)).size;
}

async function uploadRaw(staged: string, url: string): Promise<void> {
  const { stdout } = await runProcess({
    program: 'qemu-img',
    args: ['map', '--output=json', '-f', 'raw', staged],
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- qemu-img prints this form
  const map = JSON.parse(stdout) as { start: number; length: number; data: boolean }[];
  const output = openHttpOutput({ url, method: 'POST', lengthBytes: null });
  const handle = await open(staged, 'r');
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  for (const { start, length } of map.filter((extent) => extent.data)) {
    for (let at = 0; at < length; at += buffer.length) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), start + at);
      await output.write(buffer.subarray(0, bytesRead));
    }
  }
  await output.finish();
  await handle.close();
}

async function stream(image: DiskImage, url: string, workDir: string): Promise<void> {
  const sizeBytes = image.chain.virtualSizeBytes;
  await copyInWorker({
    image,
    sink: streamSinkModule({ url, sizeBytes }),
    targetSizeBytes: sizeBytes,
    workDir,
    signal,
    bandwidthBytesPerSecond: null,
    tuning: { digest: 'none' },
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: nothing,
    onCopied: nothing,
  });
}

/** Reads a disk that another thread lends, over TLS. */
async function borrow(file: string, mode: 'nbd' | 'https', workDir: string): Promise<number> {
  const lender = new Worker(new URL('lender.ts', import.meta.url), { workerData: { file, workDir } });
  const [ticket] = z.tuple([z.string()]).parse(await once(lender, 'message'));
  const borrowing = await borrowDisk({ at: { ticket: new Secret(ticket) }, signal, compress: false });
  const source = await borrowing.open(mode);
  const { bytesCopied } = await copyDisk({
    source,
    sink: nullSink(),
    digest: 'none',
    targetSizeBytes: source.sizeBytes,
    workDir,
    signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => undefined,
    onConfirmed: nothing,
  });
  await source.close();
  await borrowing.close();
  await once(lender, 'exit');
  return bytesCopied;
}

type Facts = Readonly<Record<string, number>>;
type Run = (image: string, args: readonly string[], workDir: string) => Promise<Facts>;

const works: Readonly<Record<string, Run>> = {
  read: async (file, [engine], workDir) => ({
    bytes: await copyTo(await imageOf(file), engineOf(engine), nullSink(), workDir),
  }),
  post: async (file, [engine, url = '', checksum], workDir) => {
    const image = await imageOf(file);
    const covered = checksum === 'data' ? 'data' : 'heads';
    const sink = streamSink(url, image.chain.virtualSizeBytes, covered);
    return { bytes: await copyTo(image, engineOf(engine), sink, workDir), staged: 0 };
  },
  'two-phases': async (file, [staged = '', url = '']) => {
    const bytes = await convert(file, staged, 'raw', ['-m', '16', '-W']);
    await uploadRaw(staged, url);
    return { staged: bytes };
  },
  file: async (file, [format, target = ''], workDir) => ({
    outputBytes: await toFile(await imageOf(file), formatOf(format), target, workDir),
  }),
  'qemu-img': async (file, [target = '', format = '', ...options]) => ({
    outputBytes: await convert(file, target, format, options),
  }),
  map: async (file, _args, workDir) => {
    const image = await imageOf(file);
    const started = performance.now();
    const source = await openSource({ image, workDir, signal, engine: 'direct' });
    let extents = 0;
    for await (const extent of source.extents(0, source.sizeBytes)) extents += extent.kind === 'data' ? 1 : 0;
    const seconds = (performance.now() - started) / 1000;
    await source.close();
    return { seconds, bytes: extents };
  },
  delta: async (file, [, target = ''], workDir) => {
    const image = await imageOf(file);
    const to = { path: target, format: 'raw' as const };
    const result = await copyDelta({
      image,
      sinceLayer: 1,
      target: to,
      verify: 'none',
      workDir,
      signal,
      bandwidthBytesPerSecond: null,
    });
    return { bytes: result.dataBytes };
  },
  peer: async (file, [mode], workDir) => ({
    bytes: await borrow(file, mode === 'https' ? 'https' : 'nbd', workDir),
  }),
  streams: async (file, [how, url = ''], workDir) => {
    const image = await imageOf(file);
    const five = Array.from({ length: 5 }, () => () => stream(image, url, workDir));
    if (how === 'together') await Promise.all(five.map((start) => start()));
    else for (const start of five) await start();
    return {};
  },
};

const [work = '', file = '', ...args] = process.argv.slice(2);
const run = works[work];
if (run === undefined) throw new Error(`no work ${work}; there are ${Object.keys(works).join(', ')}`);
const workDir = await mkdtemp(join(tmpdir(), 'ascend-bench-'));
try {
  const facts = await run(file, args, workDir);
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const rssMiB = Math.round(maxRSS / 1024);
  // Without the children that it started: tells whose work it is.
  const ownCpu = (userCPUTime + systemCPUTime) / 1e6;
  process.stdout.write(`${JSON.stringify({ ...facts, rssMiB, ownCpu })}\n`);
} finally {
  await rm(workDir, { recursive: true, force: true });
}
