import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cellId, matrixCells } from './cells.ts';
import { recordResult } from './results.ts';
import { runCell } from './runCell.ts';

const cacheDir = join(import.meta.dirname, '../../.ascend/cache');

it.each(matrixCells.map((cell) => ({ cell, id: cellId(cell) })))(
  '$id ends as $cell.expected',
  async ({ cell }) => {
    const result = await runCell(cell, cacheDir);
    await recordResult(result, cacheDir);
    expect(result.outcome, result.detail).toBe(cell.expected);
  },
);
