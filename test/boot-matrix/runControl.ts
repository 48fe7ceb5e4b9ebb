import { builtMatrixGuest } from '../guests/matrix/buildGuest.ts';
import type { MatrixGuest } from '../guests/matrix/matrixGuest.ts';
import { bootOnSource } from '../guests/matrix/sourceMachine.ts';
import { controlId } from './cells.ts';
import { addressIn, type CellResult } from './runCell.ts';

/** Boots a guest unconverted on the hardware it comes from: `up` shows that the guest itself is sound. */
export async function runControl(guest: MatrixGuest, cacheDir: string): Promise<CellResult> {
  const { isReady, summary, seconds } = await bootOnSource(await builtMatrixGuest(guest, { cacheDir }));
  return {
    id: controlId(guest),
    outcome: isReady ? 'up' : 'down',
    convertSeconds: null,
    bootSeconds: seconds,
    address: addressIn(summary),
    detail: summary,
    at: new Date().toISOString(),
  };
}
