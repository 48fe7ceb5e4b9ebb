import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cellId, matrixCells, quickCells } from './cells.ts';
import { recordResult } from './results.ts';
import { runCell } from './runCell.ts';

const usage = `usage: node test/boot-matrix/main.ts [--quick] [--only TEXT] [--cache DIR]
Boots the cells of the matrix one after the other and writes RESULTS.md. --only takes the cells whose names hold TEXT.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      cache: { type: 'string', default: '.ascend/cache' },
    },
  });
  const cells = (values.quick ? quickCells : matrixCells).filter((cell) =>
    cellId(cell).includes(values.only),
  );
  if (cells.length === 0) {
    process.stderr.write(usage);
    return 2;
  }
  const cacheDir = resolve(values.cache);
  let surprises = 0;
  for (const cell of cells) {
    const result = await runCell(cell, cacheDir);
    await recordResult(result, cacheDir);
    const isExpected = result.outcome === cell.expected;
    if (!isExpected) surprises += 1;
    const times = `${result.convertSeconds ?? 0} s + ${result.bootSeconds ?? 0} s`;
    const word = isExpected ? result.outcome : `${result.outcome.toUpperCase()} instead of ${cell.expected}`;
    process.stdout.write(`${cellId(cell)}: ${word} (${times}): ${result.detail}\n`);
  }
  return surprises === 0 ? 0 : 1;
}

process.exitCode = await main();
