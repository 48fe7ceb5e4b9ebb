import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { matrixGuests } from '../guests/matrix/matrixGuests.ts';
import { cellId, controlId, matrixCells, quickCells, type CellOutcome, type MatrixCell } from './cells.ts';
import { recordResult } from './results.ts';
import { runCell, type CellResult } from './runCell.ts';
import { runControl } from './runControl.ts';

const usage = `usage: node test/boot-matrix/main.ts [--quick | --controls] [--only TEXT]... [--cache DIR]
Boots the cells of the matrix one after the other and writes RESULTS.md. --controls boots the guests unconverted on the hardware
they come from instead. --only takes the cells whose names hold TEXT, in the order given.
`;

/** One thing to boot, and how it is to end. */
interface Job {
  readonly id: string;
  readonly expected: CellOutcome;
  readonly run: (cacheDir: string) => Promise<CellResult>;
}

function cellJob(cell: MatrixCell): Job {
  return { id: cellId(cell), expected: cell.expected, run: async (cacheDir) => runCell(cell, cacheDir) };
}

const controlJobs = matrixGuests.map((guest): Job => {
  return { id: controlId(guest), expected: 'up', run: async (cacheDir) => runControl(guest, cacheDir) };
});

async function runJob(job: Job, cacheDir: string): Promise<boolean> {
  const result = await job.run(cacheDir);
  await recordResult(result);
  const isExpected = result.outcome === job.expected;
  const times = `${result.convertSeconds ?? 0} s + ${result.bootSeconds ?? 0} s`;
  const word = isExpected ? result.outcome : `${result.outcome.toUpperCase()} instead of ${job.expected}`;
  process.stdout.write(`${job.id}: ${word} (${times}): ${result.detail}\n`);
  return isExpected;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      controls: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [''] },
      cache: { type: 'string', default: '.ascend/cache' },
    },
  });
  const all = values.controls ? controlJobs : (values.quick ? quickCells : matrixCells).map(cellJob);
  const jobs = new Set(values.only.flatMap((text) => all.filter(({ id }) => id.includes(text))));
  if (jobs.size === 0) {
    process.stderr.write(usage);
    return 2;
  }
  const cacheDir = resolve(values.cache);
  let surprises = 0;
  for (const job of jobs) {
    if (!(await runJob(job, cacheDir))) surprises += 1;
  }
  return surprises === 0 ? 0 : 1;
}

process.exitCode = await main();
