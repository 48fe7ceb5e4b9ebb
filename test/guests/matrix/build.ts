import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { builtMatrixGuest } from './buildGuest.ts';
import { matrixGuests } from './matrixGuests.ts';
import { bootOnSource } from './sourceMachine.ts';

const usage = `usage: node test/guests/matrix/build.ts [--only NAME[,NAME]] [--cache DIR] [--mirror URL] [--boot]
Builds the guests of the boot matrix, or finds them in the cache, and prints time and size of each. With --boot each guest
is also started, unconverted, on the hardware it comes from.
Names: ${matrixGuests.map(({ name }) => name).join(' ')}
`;

const mib = 1024 ** 2;

async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const stats = await Promise.all(names.map(async (name) => stat(join(folder, name))));
  // Blocks of 512 bytes: what is really taken, not how large the files pretend to be.
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      cache: { type: 'string', default: '.ascend/cache' },
      mirror: { type: 'string' },
      boot: { type: 'boolean', default: false },
    },
  });
  const wanted = values.only?.split(',');
  const guests = matrixGuests.filter(({ name }) => wanted === undefined || wanted.includes(name));
  if (guests.length === 0 || (wanted !== undefined && guests.length !== wanted.length)) {
    process.stderr.write(usage);
    return 2;
  }
  let failed = 0;
  for (const guest of guests) {
    const begun = Date.now();
    const built = await builtMatrixGuest(guest, {
      cacheDir: resolve(values.cache),
      ...(values.mirror === undefined ? {} : { mirror: values.mirror }),
    });
    const seconds = ((Date.now() - begun) / 1000).toFixed(1);
    const size = Math.round((await folderBytes(built.folder)) / mib);
    process.stdout.write(`${guest.name}: built in ${seconds} s, ${size} MiB, ${built.folder}\n`);
    if (!values.boot) continue;
    const { isReady, summary, seconds: bootSeconds } = await bootOnSource(built);
    if (!isReady) failed += 1;
    process.stdout.write(`${guest.name}: ${isReady ? 'up' : 'NOT UP'} after ${bootSeconds} s: ${summary}\n`);
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
