import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Heartbeat } from '@ascend/protocol';
import { runProcess } from '@ascend/runtime';
import { address, createBench, type Bench } from './testing/bench.ts';

let bench: Bench;
const beats: Heartbeat[] = [];

beforeAll(async () => {
  bench = await createBench();
  await mkdir(join(bench.dir, 'vault'));
  bench.control.subscribeHeartbeats((heartbeat) => beats.push(heartbeat));
  bench.startProcess('real');
  await bench.until(() => bench.hellos.length > 0, 'the first hello', 60_000);
});

afterAll(async () => {
  await bench.dispose();
});

test('an idle agent stays below 110 MB and tells what its machine can do', async () => {
  // Start-up leaves garbage that goes with the next collections: what counts is what an agent at rest comes down to.
  const limitBytes = 110 * 1024 * 1024;
  const isSmall = () => beats.length >= 2 && beats.some((beat) => beat.rssBytes < limitBytes);
  await bench.until(isSmall, 'a heartbeat below 110 MB', 60_000);
  const last = beats.at(-1);
  expect(last?.capabilities.cpuCount).toBeGreaterThan(0);
  expect(last?.capabilities.scratchFreeBytes).toBeGreaterThan(0);
  expect(last?.capabilities.qemuImgVersion).toMatch(/^\d/);
  expect(last?.repositories).toEqual({ vault: `${bench.dir}/vault` });
});

test('the real tools scan a repository and look at single images, links out of it are refused', async () => {
  const vault = join(bench.dir, 'vault');
  await runProcess({
    program: 'qemu-img',
    args: ['create', '-q', '-f', 'qcow2', join(vault, 'a.qcow2'), '4M'],
  });
  await runProcess({ program: 'ln', args: ['-s', '/etc/hostname', join(vault, 'link.raw')] });
  await writeFile(join(vault, 'notes.txt'), 'x');
  await writeFile(join(vault, 'a.vmx'), 'displayName = "a"\nnumvcpus = "2"\nmemSize = "512"\n');
  const soon = { deadlineMs: 30_000 };
  const scan = await bench.control.request(address, 'scan', { rootPath: vault }, soon);
  expect(scan.contexts).toMatchObject([
    { backups: [{}], vmSpec: { name: 'a', memoryBytes: 512 * 1024 * 1024 } },
  ]);
  const probe = async (path: string) =>
    await bench.control.request(address, 'probe-images', { rootPath: vault, paths: [path] }, soon);
  expect(await probe('a.qcow2')).toMatchObject([
    { relPath: 'a.qcow2', format: 'qcow2', virtualSizeBytes: 4 * 1024 * 1024, backingRelPath: null },
  ]);
  await expect(probe('link.raw')).rejects.toMatchObject({ name: 'AppError' });
  await expect(probe('../credentials.json')).rejects.toMatchObject({ code: 'AGENT_REPOSITORY_UNKNOWN' });
  await expect(probe('none.qcow2')).rejects.toMatchObject({ code: 'DISK_FILE_MISSING' });
});

test.each([
  ['an unknown word', ['fly'], 'CONFIG_INVALID'],
  ['enrol without parameters', ['enrol'], 'CONFIG_INVALID'],
])('%s is refused with a code and exit code 1', async (_, args, code) => {
  const main = new URL('main.ts', import.meta.url).pathname;
  const result = await runProcess({ program: process.execPath, args: [main, ...args], okExitCodes: [1] });
  expect(result.stderr).toContain(code);
});

test('an agent without credentials says how to enrol', async () => {
  const main = new URL('main.ts', import.meta.url).pathname;
  const env = { ASCEND_AGENT_DIR: join(bench.dir, 'empty') };
  const result = await runProcess({ program: process.execPath, args: [main], env, okExitCodes: [1] });
  expect(result.stderr).toContain('AGENT_NOT_ENROLLED');
  expect(result.stderr).toContain('ascend agent enroll');
});
