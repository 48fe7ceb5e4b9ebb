import type { WindowsFacts } from '@ascend/domain';
import type { GuestFiles } from '../../guestFiles.ts';
import { readStart } from '../windowsFiles.ts';

/**
 * The state of `hiberfil.sys` by its first bytes: `hibr`/`HIBR` and `rstr`/`RSTR` mean memory that waits to be resumed,
 * `wake`/`WAKE` one that was resumed, zeroes none (libhibr, hiberfil.sys format, read 2026-11).
 */
function hibernationOf(start: Buffer | null): WindowsFacts['hibernation'] {
  const signature = (start ?? Buffer.alloc(0)).toString('latin1', 0, 4).toLowerCase();
  if (signature === 'hibr' || signature === 'rstr') return 'hibernated';
  return signature === 'wake' ? 'resumed' : 'none';
}

/** Looks at the guest's hibernation file. */
export async function readHibernation(files: GuestFiles): Promise<WindowsFacts['hibernation']> {
  return hibernationOf(await readStart(files, '/hiberfil.sys', 4096));
}
