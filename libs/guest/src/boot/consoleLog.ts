import { isAppError } from '@ascend/errors';
import { withQmp } from './qmpClient.ts';

const ringBytes = 64 * 1024;

/**
 * Points the machine's serial console at a ring in memory; the log file stays as it is. A guest in service could fill the
 * disk otherwise. Idempotent; a machine that does not answer is left as it is.
 */
export async function endConsoleLog(stateDir: string): Promise<void> {
  const backend = { type: 'ringbuf', data: { size: ringBytes } };
  try {
    await withQmp({ stateDir }, async (client) =>
      client.execute('chardev-change', { id: 'serial0', backend }),
    );
  } catch (error) {
    if (!isAppError(error)) throw error;
  }
}
