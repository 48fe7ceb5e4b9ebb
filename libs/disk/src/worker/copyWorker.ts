// The thread of one disk, as `copyInWorker` starts it. Imported anywhere else it does nothing.
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerSetup } from './messages.ts';
import { runWorkerCopy } from './workerCopy.ts';

/** Marks data that is meant for this thread: a program that itself runs in a thread may import this file to have it compiled. */
export interface CopyWorkerData {
  readonly ascendCopy: WorkerSetup;
}

const data: Partial<CopyWorkerData> | null = workerData;
if (parentPort !== null && data?.ascendCopy !== undefined) await runWorkerCopy(parentPort, data.ascendCopy);
