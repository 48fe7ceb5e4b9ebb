import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runProcess } from '@ascend/runtime';
import { benchCases, benchFigures, type BenchWorld } from './cases.ts';
import { benchImages } from './chain.ts';
import { comparePairs } from './measure.ts';
import { startNullServer } from './nullServer.ts';
import { readProfiles } from './profiles.ts';
import { resultsPage, type Figure, type Line } from './report.ts';

const root = new URL('../..', import.meta.url).pathname;
const usage = `npm run bench [-- options]   measures the disk engine side by side with its peers, in turns

  --only P1,P7   these lines only; nothing is written to RESULTS.md
  --pairs N      pairs a line (default 5)
  --scale X      size of the images, 1 = the definition (default 1)
  --list         the lines
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function assertTools(): Promise<void> {
  for (const [program, packageName] of [
    ['time', 'time'],
    ['nbdcopy', 'libnbd-bin'],
    ['qemu-img', 'qemu-utils'],
  ] as const) {
    await runProcess({ program, args: ['--version'] }).catch(() => {
      throw new Error(`the benchmark needs ${program} (package ${packageName}): run deploy/setup.sh --peers`);
    });
  }
}

/** Takes away what the last line wrote: a disk in five formats, twice, would fill a small machine. */
async function removeOutputs(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('out-'));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (values.list) {
    process.stdout.write(`${benchCases.map((one) => `${one.id}\t${one.what}`).join('\n')}\n`);
    return;
  }
  await assertTools();
  const pairs = Number(values.pairs);
  const scale = Number(values.scale);
  const images = await benchImages(join(root, '.ascend/cache'), scale);
  const server = await startNullServer();
  const world: BenchWorld = { images, scale, url: server.url, run: join(root, 'test/bench/run.ts') };
  const only = values.only?.split(',');
  const lines: Line[] = [];
  const figures: Figure[] = [];
  try {
    for (const one of benchCases.filter((each) => only === undefined || only.includes(each.id))) {
      const compared = await comparePairs(one.ours(world), one.peer(world), one.pairs ?? pairs);
      await removeOutputs(images.folder);
      const { id, what, goal } = one;
      const line = { id, what, goal, peer: one.peerText, compared, notes: one.notes?.(compared) ?? [] };
      lines.push(line);
      process.stderr.write(
        `${one.id} ${one.what}: wall ${compared.wallRatio.toFixed(2)}, CPU ${compared.cpuRatio.toFixed(2)}\n`,
      );
    }
    for (const one of benchFigures.filter((each) => only === undefined || only.includes(each.id))) {
      const figure = await one.measure(world, lines);
      await removeOutputs(images.folder);
      figures.push(figure);
      process.stderr.write(`${figure.what}: ${figure.seen} (goal ${figure.goal})\n`);
    }
  } finally {
    await removeOutputs(images.folder);
    await server.close();
  }
  const page = resultsPage({ lines, figures, pairs, scale, profiles: await readProfiles() });
  if (only === undefined) await writeFile(join(root, 'test/bench/RESULTS.md'), page);
  else process.stdout.write(page);
}

await main();
