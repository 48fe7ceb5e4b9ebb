import { silentLogger } from '@ascend/runtime';
import { startSession } from '../startSession.ts';
import { makeBlankDisks } from '../../testing/blankDisks.ts';

// Run as a process of its own by the kill test: prints its folder, then starts an appliance and goes on living.
const [, , cacheDir = ''] = process.argv;
const disks = await makeBlankDisks(1, 64 * 1024 * 1024);
process.stdout.write(`${disks.folder}\n`);
const signal = new AbortController().signal;
const { images, workDir } = disks;
await startSession({
  images,
  workDir,
  cacheDir,
  writable: true,
  acceleration: 'tcg',
  logger: silentLogger,
  signal,
});
setInterval(() => undefined, 1_000);
