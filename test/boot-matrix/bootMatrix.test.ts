import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cellId, quickCells } from './cells.ts';
import { runCell } from './runCell.ts';

const cacheDir = join(import.meta.dirname, '../../.ascend/cache');

// Two at a time (`maxConcurrency` of the project): one guest is built or converted while another boots.
it.concurrent.each(quickCells.map((cell) => ({ cell, id: cellId(cell) })))(
  '$id ends as $cell.expected',
  async ({ cell }) => {
    const result = await runCell(cell, cacheDir);
    expect(result.outcome, result.detail).toBe(cell.expected);
  },
);
