import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { copyBackup } from './builtBackup.ts';
import { microBackup } from './microGuest.ts';
import { sampleBackup } from './sampleGuest.ts';

const usage = `usage: node test/guests/buildSample.ts --out DIR [--guest sample|micro] [--cache DIR] [--mirror URL] [--data-size BYTES]
Makes a backup repository with one VM (full + two incrementals of two disks) and copies it to DIR.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      guest: { type: 'string', default: 'sample' },
      cache: { type: 'string', default: '.ascend/cache' },
      mirror: { type: 'string' },
      'data-size': { type: 'string' },
    },
  });
  if (values.out === undefined || !['sample', 'micro'].includes(values.guest)) {
    process.stderr.write(usage);
    return 2;
  }
  const params = {
    cacheDir: resolve(values.cache),
    onLine: (line: string) => process.stderr.write(`${line}\n`),
    ...(values.mirror === undefined ? {} : { mirror: values.mirror }),
  };
  const size = values['data-size'];
  const backup =
    values.guest === 'sample'
      ? await sampleBackup(params)
      : await microBackup({ ...params, ...(size === undefined ? {} : { dataDiskBytes: Number(size) }) });
  const outDir = resolve(values.out);
  await mkdir(outDir, { recursive: true });
  process.stdout.write(`${JSON.stringify(await copyBackup(backup, outDir))}\n`);
  return 0;
}

process.exitCode = await main();
