import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BenchImages } from './chain.ts';
import { measure, median, type Compared, type Measured, type Work } from './measure.ts';
import { startNullServer } from './nullServer.ts';
import type { Figure, Goal, Line } from './report.ts';

/** What the commands of the cases are made from. */
export interface BenchWorld {
  readonly images: BenchImages;
  readonly scale: number;
  /** An HTTP server that throws bodies away, in another process group than what is measured. */
  readonly url: string;
  /** Path of our own runner. */
  readonly run: string;
}

/** One line of the table: ours and the peer's command for the same work. */
export interface BenchCase {
  readonly id: string;
  readonly what: string;
  readonly peer: (world: BenchWorld) => Work;
  readonly ours: (world: BenchWorld) => Work;
  readonly goal: Goal;
  readonly peerText: string;
  readonly pairs?: number;
  readonly notes?: (compared: Compared) => readonly string[];
}

const mib = 1024 ** 2;

// As the agent is started: compiled code from a cache, a small young generation.
const nodeOptions = ['--max-semi-space-size=2'];

function runner(world: BenchWorld, args: readonly string[]): Work {
  const env = { NODE_COMPILE_CACHE: join(world.images.folder, 'work/compile-cache') };
  return { program: process.execPath, args: [...nodeOptions, world.run, ...args], env };
}

/** The files of a disk: `inc` stands on `full`. */
function filesOf({ images }: BenchWorld, image: string): readonly string[] {
  return image === images.inc ? [image, images.full] : [image];
}

/** Our runner as a command: `node run.ts WORK IMAGE …`. */
function ours(world: BenchWorld, image: string, ...args: readonly string[]): Work {
  const [work = '', ...rest] = args;
  return { ...runner(world, [work, image, ...rest]), reads: filesOf(world, image) };
}

function nbdcopyNull(world: BenchWorld, image: string): Work {
  const server = ['[', 'qemu-nbd', '-r', '-e', '16', '-f', 'qcow2', basename(image), ']'];
  const reads = filesOf(world, image);
  return { program: 'nbdcopy', args: ['--', ...server, 'null:'], cwd: dirname(image), reads };
}

const out = (world: BenchWorld, name: string): string => join(world.images.folder, `out-${name}`);

async function remove(...files: readonly string[]): Promise<void> {
  await Promise.all(
    files.flatMap((file) => [file, `${file}.partial`]).map((file) => rm(file, { force: true })),
  );
}

/** qemu-img convert to a file that is then made durable, as ours is. */
function convert(world: BenchWorld, image: string, format: string, options: readonly string[]): Work {
  const target = out(world, `peer.${format}`);
  return {
    ...runner(world, ['qemu-img', image, target, format, ...options]),
    reads: filesOf(world, image),
    before: () => remove(target),
  };
}

function toFile(world: BenchWorld, image: string, format: string): Work {
  const target = out(world, `ours.${format}`);
  return { ...ours(world, image, 'file', format, target), before: () => remove(target) };
}

const manyAtOnce = ['-m', '16', '-W'] as const;

function sizeOf(all: readonly Measured[]): number {
  return all[0]?.facts.outputBytes ?? Number.NaN;
}

function sizes(compared: Compared): readonly string[] {
  const ratio = sizeOf(compared.ours) / sizeOf(compared.peer);
  return [`size ${ratio.toFixed(3)} of the peer's (${(sizeOf(compared.ours) / mib).toFixed(0)} MiB)`];
}

/** All comparisons, in the order of the page. */
export const benchCases: readonly BenchCase[] = [
  {
    id: 'P1',
    what: 'read everything over NBD',
    ours: (world) => ours(world, world.images.inc, 'read', 'nbd'),
    peer: (world) => nbdcopyNull(world, world.images.inc),
    peerText: '`nbdcopy -- [ qemu-nbd -r -e 16 -f qcow2 inc ] null:`',
    goal: { wall: 1.1, cpu: 1.1 },
  },
  {
    id: 'P2',
    what: 'read everything directly',
    ours: (world) => ours(world, world.images.inc, 'read', 'direct'),
    peer: (world) => nbdcopyNull(world, world.images.inc),
    peerText: 'as P1',
    goal: { wall: 0.45, cpu: 0.45 },
  },
  {
    id: 'P3n',
    what: 'one pass to an HTTP sink, NBD',
    ours: (world) => ours(world, world.images.inc, 'post', 'nbd', world.url),
    peer: (world) => nbdcopyNull(world, world.images.inc),
    peerText: 'as P1 (reads only)',
    goal: { wall: 1.4, cpu: 1.4 },
  },
  {
    id: 'P3d',
    what: 'one pass to an HTTP sink, direct',
    ours: (world) => ours(world, world.images.inc, 'post', 'direct', world.url),
    peer: (world) => nbdcopyNull(world, world.images.inc),
    peerText: 'as P1 (reads only)',
    goal: { wall: 1.0, cpu: 1.0 },
  },
  {
    id: 'P3c',
    what: 'P3d with a CRC-32 over the data too',
    ours: (world) => ours(world, world.images.inc, 'post', 'direct', world.url, 'data'),
    peer: (world) => nbdcopyNull(world, world.images.inc),
    peerText: 'as P1 (reads only)',
    goal: {},
    pairs: 3,
  },
  {
    id: 'P4n',
    what: 'one pass against two, NBD',
    ours: (world) => ours(world, world.images.inc, 'post', 'nbd', world.url),
    peer: (world) => twoPhases(world),
    peerText: '`qemu-img convert -m 16 -W -O raw`, then an upload of the data extents of the raw file',
    goal: { wall: 0.45, cpu: 0.75 },
    notes: () => ['bytes staged: ours 0, the peer the whole disk'],
  },
  {
    id: 'P4d',
    what: 'one pass against two, direct',
    ours: (world) => ours(world, world.images.inc, 'post', 'direct', world.url),
    peer: (world) => twoPhases(world),
    peerText: 'as P4n',
    goal: { wall: 0.25, cpu: 0.45 },
    notes: () => ['bytes staged: ours 0, the peer the whole disk'],
  },
  {
    id: 'P7',
    what: 'streamOptimized VMDK',
    ours: (world) => toFile(world, world.images.small, 'vmdk-stream'),
    peer: (world) => convert(world, world.images.small, 'vmdk', ['-o', 'subformat=streamOptimized']),
    peerText: '`qemu-img convert -O vmdk -o subformat=streamOptimized`',
    goal: { wall: 0.5, cpu: 0.42 },
    pairs: 3,
    notes: sizes,
  },
  {
    id: 'P8',
    what: 'raw file, fsynced',
    ours: (world) => toFile(world, world.images.inc, 'raw'),
    peer: (world) => convert(world, world.images.inc, 'raw', manyAtOnce),
    peerText: '`qemu-img convert -m 16 -W -O raw`, fsynced',
    goal: { wall: 0.75, cpu: 0.65 },
  },
  ...(['vmdk', 'vhdx', 'qcow2', 'vhd'] as const).map((format): BenchCase => {
    const driver = format === 'vhd' ? 'vpc' : format;
    const wanted = format === 'vmdk' || format === 'vhdx';
    return {
      id: `F-${format}`,
      what: `${format} file, fsynced`,
      ours: (world) => toFile(world, world.images.inc, format),
      peer: (world) => convert(world, world.images.inc, driver, manyAtOnce),
      peerText: `\`qemu-img convert -m 16 -W -O ${driver}\`, fsynced`,
      goal: wanted ? { wall: 0.8, cpu: 0.8 } : {},
      notes: sizes,
    };
  }),
  {
    id: 'F-zstd',
    what: 'qcow2 with zstd',
    ours: (world) => toFile(world, world.images.small, 'qcow2-zstd'),
    peer: (world) => convert(world, world.images.small, 'qcow2', ['-c', '-o', 'compression_type=zstd']),
    peerText: '`qemu-img convert -c -O qcow2 -o compression_type=zstd`',
    goal: {},
    pairs: 3,
    notes: sizes,
  },
  ...(['nbd', 'https'] as const).map((mode): BenchCase => ({
    id: mode === 'nbd' ? 'P9n' : 'P9h',
    what: `agent to agent over TLS by ${mode}, both ends here`,
    ours: (world) => ours(world, world.images.inc, 'peer', mode),
    peer: (world) => ours(world, world.images.inc, 'post', 'nbd', world.url),
    peerText: 'P3n, the same bytes in the clear',
    goal: { wall: 2.5 },
    pairs: 3,
  })),
  {
    id: 'P10',
    what: '1 TiB virtual, 2 GiB scattered',
    ours: (world) => ours(world, world.images.big, 'read', 'direct'),
    peer: (world) => nbdcopyNull(world, world.images.big),
    peerText: '`nbdcopy … null:` of that image',
    goal: { wall: 1.05, cpu: 1.05 },
  },
  {
    id: 'P11',
    what: '65,536 clusters in random order',
    ours: (world) => ours(world, world.images.frag, 'read', 'direct'),
    peer: (world) => nbdcopyNull(world, world.images.frag),
    peerText: '`nbdcopy … null:` of that image',
    goal: { wall: 0.7, cpu: 0.7 },
  },
  {
    id: 'P12',
    what: 'delta onto an older copy',
    ours: (world) => ({
      ...ours(world, world.images.inc, 'delta', world.images.full, out(world, 'older.raw')),
      before: async () => {
        await measure(toFileAt(world, world.images.full, 'raw', out(world, 'older.raw')));
      },
    }),
    peer: (world) => convert(world, world.images.inc, 'raw', manyAtOnce),
    peerText: 'P8’s peer: the whole disk again',
    goal: { wall: 0.15, cpu: 0.15 },
    pairs: 3,
  },
  {
    id: 'P13',
    what: 'five streams at once',
    ours: (world) => ours(world, world.images.inc, 'streams', 'together', world.url),
    peer: (world) => ours(world, world.images.inc, 'streams', 'in-turn', world.url),
    peerText: 'the same five one after the other',
    goal: { wall: 1.15, cpu: 1.15 },
    pairs: 3,
  },
];

function toFileAt(world: BenchWorld, image: string, format: string, target: string): Work {
  return { ...ours(world, image, 'file', format, target), before: () => remove(target) };
}

function twoPhases(world: BenchWorld): Work {
  const staged = out(world, 'staged.raw');
  return { ...ours(world, world.images.inc, 'two-phases', staged, world.url), before: () => remove(staged) };
}

/** A figure with a limit, no peer. */
interface BenchFigure {
  readonly id: string;
  readonly measure: (world: BenchWorld, lines: readonly Line[]) => Promise<Figure>;
}

/** All figures, in the order of the page. */
export const benchFigures: readonly BenchFigure[] = [
  {
    id: 'P3/P1',
    measure: async (_world, lines) => {
      const cpu = (id: string): number =>
        median(lines.find((line) => line.id === id)?.compared.ours.map((one) => one.cpuSeconds) ?? []);
      const overhead = cpu('P3n') / cpu('P1') - 1;
      return await Promise.resolve({
        what: 'conversion overhead: CPU of P3 over NBD above P1',
        seen: `${(overhead * 100).toFixed(0)} %`,
        goal: 'reported',
        reached: true,
      });
    },
  },
  {
    id: 'P10-map',
    measure: async (world) => {
      const seen = (await measure(ours(world, world.images.big, 'map'))).facts.seconds ?? Number.NaN;
      return {
        what: 'map of 1 TiB by the own walk',
        seen: `${seen.toFixed(2)} s`,
        goal: '≤ 0.5 s',
        reached: seen <= 0.5,
      };
    },
  },
  {
    id: 'P13-rss',
    measure: async (world) => {
      const peak =
        (await measure(ours(world, world.images.inc, 'streams', 'together', world.url))).facts.rssMiB ??
        Number.NaN;
      const limit = 110 + 5 * 56;
      return {
        what: 'resident size of the process with five streams',
        seen: `${peak} MiB`,
        goal: `≤ ${limit} MiB`,
        reached: peak <= limit,
      };
    },
  },
  {
    id: 'P14',
    measure: async (world) => {
      const free = await measure(ours(world, world.images.small, 'post', 'direct', world.url));
      const slowServer = await startNullServer(50_000_000);
      const slow = await measure(ours(world, world.images.small, 'post', 'direct', slowServer.url));
      await slowServer.close();
      const more = (slow.facts.rssMiB ?? Number.NaN) - (free.facts.rssMiB ?? Number.NaN);
      return {
        what: 'memory with a sink of 50 MB/s against an unlimited one',
        seen: `${more >= 0 ? '+' : ''}${more} MiB (${slow.facts.rssMiB} against ${free.facts.rssMiB})`,
        goal: '≤ 16 MiB more',
        reached: more <= 16,
      };
    },
  },
];
