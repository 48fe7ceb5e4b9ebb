import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;
const library = new URL('../index.ts', import.meta.url).href;

/** A program of its own that copies one disk in several threads at once, so that its memory can be measured and it can be killed. */
async function writeProgram(folder: string, threads: number, bandwidth: number | null): Promise<string> {
  const file = path.join(folder, 'program.mjs');
  const text = `import { writeFileSync } from 'node:fs';
import { copyInWorker, fileSinkModule, openChain } from ${JSON.stringify(library)};
const folder = ${JSON.stringify(folder)};
const chain = await openChain({ rootPath: folder, path: 'disk.qcow2', format: 'qcow2' });
const start = process.resourceUsage().maxRSS / 1024;
await Promise.all(Array.from({ length: ${threads} }, (_, index) => copyInWorker({
  image: { chain, overlays: [] },
  sink: fileSinkModule({ finalPath: folder + '/out/' + index + '.raw', format: 'raw', sizeBytes: chain.virtualSizeBytes, resume: false }),
  targetSizeBytes: chain.virtualSizeBytes, workDir: folder + '/work', signal: new AbortController().signal,
  bandwidthBytesPerSecond: ${bandwidth}, resumeFromBytes: 0,
  onProgress: (p) => { if (p.bytesDone > 0) console.log('moving ' + index); },
  onConfirmed: () => Promise.resolve(), onCopied: () => Promise.resolve(),
})));
writeFileSync(folder + '/result.json', JSON.stringify({ start, peak: process.resourceUsage().maxRSS / 1024 }));
`;
  await writeFile(file, text);
  return file;
}

async function makeSparse(folder: string, sizeBytes: number): Promise<void> {
  const step = Math.floor(sizeBytes / 60 / mib) * mib;
  const writes = Array.from({ length: 48 }, (_, index) => ({
    offsetBytes: index * step,
    lengthBytes: mib,
    fill: (index % 255) + 1,
  }));
  await makeImage({ path: path.join(folder, 'disk.qcow2'), format: 'qcow2', sizeBytes, writes });
}

test('each thread takes no more than 56 MiB, for a disk of 1.5 TiB too', async () => {
  await withTempFolder(async (folder) => {
    await makeSparse(folder, 1536 * gib);
    const args = [await writeProgram(folder, 3, null)];
    // As agent and CLI run: with a warm cache of compiled code, or each thread would hold the compiler too.
    const env = { NODE_COMPILE_CACHE: path.join(folder, 'compiled') };
    await runProcess({ program: process.execPath, args, env });
    await rm(path.join(folder, 'out'), { recursive: true });
    await runProcess({ program: process.execPath, args, env });
    const { start, peak } = JSON.parse(await readFile(path.join(folder, 'result.json'), 'utf8'));
    expect((peak - start) / 3).toBeLessThanOrEqual(56);
    const files = ['disk.qcow2', 'out/2.raw'].map((name) => path.join(folder, name));
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', ...files)).toContain('identical');
  });
});

async function processesOf(folder: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(folder)).length;
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true within 60 s');
    await systemClock.sleep(50);
  }
}

test('kill -9 of the process ends all servers of its threads and leaves what a resume needs', async () => {
  await withTempFolder(async (folder) => {
    await makeSparse(folder, gib);
    const moving = new Set<string>();
    const child = startProcess({
      program: process.execPath,
      args: [await writeProgram(folder, 2, 4 * mib)],
      onStdoutLine: (line) => void moving.add(line),
    });
    await waitUntil(() => Promise.resolve(moving.size === 2));
    process.kill(child.pid, 'SIGKILL');
    await child.ended;
    await waitUntil(async () => (await processesOf(folder)) === 0);
    for (const name of ['0', '1']) {
      expect(existsSync(path.join(folder, `out/${name}.raw`))).toBe(false);
    }
    expect(existsSync(path.join(folder, 'out/0.raw.partial'))).toBe(true);
    await qemuImg('check', '-q', '-f', 'qcow2', path.join(folder, 'disk.qcow2'));
  });
});
