import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileFacts, type FileFormat } from '@ascend/disk';
import { makeImage, qemuImg } from '@ascend/disk/testing';
import { runProcess, startProcess } from '@ascend/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { root, until } from '../system/ascendSystem.ts';

const ascend = join(root, 'apps/cli/bin/ascend');
const mib = 1024 * 1024;
const formats: readonly FileFormat[] = ['raw', 'qcow2', 'vmdk', 'vhd', 'vhdx'];
// A long run sets more.
const points = Number(process.env['ASCEND_KILL_POINTS'] ?? 20);
const seed = Number(process.env['ASCEND_KILL_SEED'] ?? 20_261_121);
const resultSchema = z.object({
  disks: z
    .array(z.object({ resumed_from_bytes: z.number(), sha256: z.string(), remarks: z.array(z.string()) }))
    .length(1),
});

let dir: string;
let top: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-kill-'));
  const sizeBytes = 32 * mib;
  const full = join(dir, 'full.qcow2');
  top = join(dir, 'top.qcow2');
  // A pattern that tells the place: a block in the wrong place is not the same disk.
  const writes = Array.from({ length: 40 }, (_, index) => ({
    offsetBytes: index * 768 * 1024,
    lengthBytes: 384 * 1024,
    fill: index + 1,
  }));
  await makeImage({ path: full, format: 'qcow2', sizeBytes, writes });
  const newer = [
    { offsetBytes: 2 * mib, lengthBytes: mib, fill: 200 },
    { offsetBytes: 20 * mib, lengthBytes: mib, fill: 'zero' as const },
  ];
  await makeImage({ path: top, format: 'qcow2', sizeBytes, backing: full, writes: newer });
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Numbers from 0 to 1 that depend on the seed alone. */
function createRandom(from: number): () => number {
  let state = from;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Starts an export, kills it a while after it has begun to write, and tells whether it was still running. */
async function killed(args: readonly string[], partial: string, afterMs: number): Promise<boolean> {
  const running = startProcess({ program: ascend, args: ['local', ...args], dieWithParent: true });
  let over = false;
  void running.ended.then(() => (over = true));
  await until('it writes', 60, async () => Promise.resolve(over || existsSync(partial)));
  await Promise.race([delay(afterMs), running.ended]);
  const wasRunning = !over;
  if (wasRunning) process.kill(running.pid, 'SIGKILL');
  await running.ended;
  return wasRunning;
}

/** One point: kills an export there, resumes it, and compares. Tells how the two attempts went. */
async function killAndResume(
  round: number,
  afterMs: number,
): Promise<{ readonly wasCut: boolean; readonly resumedFromBytes: number }> {
  const format = formats[round % formats.length] ?? 'raw';
  const folder = join(dir, `round${round}`);
  await mkdir(folder);
  const out = join(folder, 'disk');
  const args = ['export', top, '--format', format, '--out', out, '--checkpoint', '0.05'];
  const story = `round ${round} of seed ${seed}, ${format}, killed after ${afterMs} ms`;
  const partial = join(folder, 'disk.unpublished.partial');
  // 16 MiB at this rate take about a second.
  const wasCut = await killed([...args, '--bandwidth', '16M'], partial, afterMs);
  let resumedFromBytes = 0;
  let remarks = '';
  let says = /^$/;
  if (!existsSync(out)) {
    const again = await runProcess({
      program: ascend,
      args: ['--json', 'local', ...args, '--resume', '--verify', 'read-back'],
    });
    const [disk] = resultSchema.parse(JSON.parse(again.stdout)).disks;
    resumedFromBytes = disk?.resumed_from_bytes ?? 0;
    says = resumedFromBytes > 0 ? /goes on at offset|written all/ : /starts at zero/;
    remarks = disk?.remarks.join() ?? '';
  }
  expect(remarks, story).toMatch(says);
  const { readAs } = fileFacts[format];
  const driver = readAs === 'vhd' ? 'vpc' : readAs;
  expect(await qemuImg('compare', '-f', 'qcow2', '-F', driver, top, out), story).toContain('identical');
  expect(await readdir(folder), story).toEqual(['disk']);
  await rm(folder, { recursive: true });
  return { wasCut, resumedFromBytes };
}

it(`survives kill -9 at ${points} random points and goes on to the same disk`, async () => {
  const random = createRandom(seed);
  const waiting = [...Array.from({ length: points }, () => random() * 900).entries()];
  const attempts: Awaited<ReturnType<typeof killAndResume>>[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      attempts.push(await killAndResume(...next));
    }
  };
  await Promise.all([work(), work()]);
  // The points are worth something: most cut a copy, and some of those went on in the middle.
  expect(attempts.filter(({ wasCut }) => wasCut).length).toBeGreaterThan(points / 2);
  expect(attempts.filter(({ resumedFromBytes }) => resumedFromBytes > 0).length).toBeGreaterThan(points / 5);
  await until('no server is left', 30, async () => {
    const { exitCode } = await runProcess({
      program: 'pgrep',
      args: ['-f', `qemu-(nbd|img).*${dir}`],
      okExitCodes: [0, 1],
    });
    return exitCode === 1;
  });
});
