import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;
const library = new URL('../index.ts', import.meta.url).href;

/** A program of its own, so that its memory can be measured and it can be killed. */
async function writeProgram(folder: string, body: string): Promise<string> {
  const file = path.join(folder, 'program.mjs');
  const head = `import { copyDisk, exportFuse, imageBlockdev, openChain, openFileSink } from ${JSON.stringify(library)};
const [folder, name, format, sizeText, bandwidth] = process.argv.slice(2);
const sizeBytes = Number(sizeText);
const chain = await openChain({ rootPath: folder, path: name, format: 'qcow2' });
const signal = new AbortController().signal;
const copy = async (onConfirmed) => {
  const finalPath = folder + '/out/disk.' + format;
  const { sink } = await openFileSink({ finalPath, format, sizeBytes, resume: false, workDir: folder });
  const result = await copyDisk({
    image: { chain, overlays: [] }, sink, targetSizeBytes: sizeBytes, workDir: folder + '/work', signal,
    bandwidthBytesPerSecond: bandwidth === undefined ? null : Number(bandwidth), resumeFromBytes: 0,
    onProgress: (p) => { if (p.bytesDone > 0) console.log('moving'); }, onConfirmed,
  });
  await sink.finish();
  return result;
};
`;
  await writeFile(file, head + body);
  return file;
}

async function makeSparse(folder: string, sizeBytes: number): Promise<void> {
  const step = Math.floor(sizeBytes / 200 / mib) * mib;
  const writes = Array.from({ length: 160 }, (_, index) => ({
    offsetBytes: index * step,
    lengthBytes: mib,
    fill: (index % 255) + 1,
  }));
  await makeImage({ path: path.join(folder, 'disk.qcow2'), format: 'qcow2', sizeBytes, writes });
}

/** Peak resident memory of a whole copy in MiB, start of the program included and alone. */
async function measure(
  sizeBytes: number,
  format: string,
  env: Readonly<Record<string, string>>,
): Promise<{ start: number; peak: number; sha256: string }> {
  return await withTempFolder(async (folder) => {
    await makeSparse(folder, sizeBytes);
    const program = await writeProgram(
      folder,
      `const start = process.resourceUsage().maxRSS / 1024;
const { sha256 } = await copy(() => Promise.resolve());
await import('node:fs/promises').then((fs) => fs.writeFile(folder + '/result.json', JSON.stringify({ start, peak: process.resourceUsage().maxRSS / 1024, sha256 })));
`,
    );
    await runProcess({
      program: process.execPath,
      // As small a young generation as a copy's own thread has (copyInWorker): garbage is not what is measured.
      args: ['--max-semi-space-size=2', program, folder, 'disk.qcow2', format, String(sizeBytes)],
      env,
    });
    const compared = await qemuImg(
      'compare',
      '-f',
      'qcow2',
      '-F',
      format,
      `${folder}/disk.qcow2`,
      `${folder}/out/disk.${format}`,
    );
    expect(compared).toContain('identical');
    return JSON.parse(await readFile(path.join(folder, 'result.json'), 'utf8'));
  });
}

test.each(['raw', 'qcow2'])(
  'memory for a sparse disk of 1.5 TiB copied to %s stays within 56 MiB and is that of a small disk',
  async (format) => {
    await withTempFolder(async (folder) => {
      // As agent and CLI run: with a warm cache of compiled code, or the compiler would count.
      const env = { NODE_COMPILE_CACHE: folder };
      await measure(gib, format, env);
      const small = await measure(gib, format, env);
      const large = await measure(1536 * gib, format, env);
      expect(large.peak - large.start).toBeLessThanOrEqual(56);
      expect(large.peak).toBeLessThanOrEqual(small.peak + 16);
      expect(large.sha256).toMatch(/^[0-9a-f]{64}$/);
    });
  },
);

/** Processes whose command line names the folder. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(folder)) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true within 60 s');
    await systemClock.sleep(50);
  }
}

test.each(['raw', 'qcow2'])(
  'kill -9 amid a copy to %s leaves no server and no file under the final name, and the backup is free',
  async (format) => {
    await withTempFolder(async (folder) => {
      await makeSparse(folder, gib);
      const program = await writeProgram(folder, 'await copy(() => Promise.resolve());');
      let moving = false;
      const child = startProcess({
        program: process.execPath,
        args: [program, folder, 'disk.qcow2', format, String(gib), String(4 * mib)],
        onStdoutLine: () => (moving = true),
      });
      await waitUntil(() => Promise.resolve(moving));
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
      await waitUntil(async () => (await processesOf(folder)).length === 0);
      expect(existsSync(path.join(folder, `out/disk.${format}`))).toBe(false);
      expect(existsSync(path.join(folder, `out/disk.${format}.partial`))).toBe(true);
      await qemuImg('check', '-q', '-f', 'qcow2', path.join(folder, 'disk.qcow2'));
    });
  },
);

test('kill -9 of the process that exports a disk leaves no mount point', async () => {
  await withTempFolder(async (folder) => {
    await makeSparse(folder, gib);
    const program = await writeProgram(
      folder,
      `const exported = await exportFuse({ blockdev: imageBlockdev({ chain, overlays: [] }), writable: false, workDir: folder + '/work' });
console.log(exported.filePath);
setInterval(() => undefined, 1000);
`,
    );
    let filePath = '';
    const child = startProcess({
      program: process.execPath,
      args: [program, folder, 'disk.qcow2', 'raw', String(gib)],
      onStdoutLine: (line) => (filePath = line),
    });
    await waitUntil(() => Promise.resolve(filePath !== ''));
    expect(await readFile('/proc/self/mountinfo', 'utf8')).toContain(filePath);
    process.kill(child.pid, 'SIGKILL');
    await child.ended;
    await waitUntil(async () => (await processesOf(folder)).length === 0);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(folder);
  });
});
