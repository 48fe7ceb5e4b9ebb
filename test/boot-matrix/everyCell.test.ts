import { join } from 'node:path';
import { expect, it } from 'vitest';
import { matrixGuests } from '../guests/matrix/matrixGuests.ts';
import { cellId, matrixCells } from './cells.ts';
import { recordResult } from './results.ts';
import { runCell } from './runCell.ts';
import { runControl } from './runControl.ts';

const cacheDir = join(import.meta.dirname, '../../.ascend/cache');

it.each(matrixGuests)('$name is up unconverted on the hardware it comes from', async (guest) => {
  const result = await runControl(guest, cacheDir);
  await recordResult(result);
  expect(result.outcome, result.detail).toBe('up');
});

it.each(matrixCells.map((cell) => ({ cell, id: cellId(cell) })))(
  '$id ends as $cell.expected',
  async ({ cell }) => {
    const result = await runCell(cell, cacheDir);
    await recordResult(result);
    expect(result.outcome, result.detail).toBe(cell.expected);
  },
);
