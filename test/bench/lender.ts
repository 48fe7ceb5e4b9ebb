import { parentPort, workerData } from 'node:worker_threads';
import { basename, dirname } from 'node:path';
import { lendDisk, openChain } from '@ascend/disk';
import { z } from 'zod';

// The other agent of P9, in a thread of its own: lends the disk and says the ticket.

const { file, workDir } = z.object({ file: z.string(), workDir: z.string() }).parse(workerData);
const chain = await openChain({ rootPath: dirname(file), path: basename(file), format: 'qcow2' });
const loan = await lendDisk({
  image: { chain, overlays: [] },
  workDir,
  at: { listen: { host: '127.0.0.1' }, mode: 'auto' },
  signal: new AbortController().signal,
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, no window
parentPort?.postMessage(loan.ticket?.reveal());
await loan.ended;
