import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runProcess, startProcess } from './process.ts';

it('returns output, exit code and duration', async () => {
  const result = await runProcess({ program: 'printf', args: ['a b\\n%s', '$HOME'] });
  expect(result).toMatchObject({ exitCode: 0, stdout: 'a b\n$HOME' });
});

it('gives input, and every line as it comes', async () => {
  const lines: string[] = [];
  await runProcess({ program: 'cat', args: [], input: 'one\ntwo', onStdoutLine: (line) => lines.push(line) });
  expect(lines).toEqual(['one', 'two']);
});

it('says what failed, how, and the last words', async () => {
  const failing = runProcess({
    program: 'sh',
    args: ['-c', 'echo first >&2; echo "no such disk" >&2; exit 3'],
  });
  await expect(failing).rejects.toMatchObject({
    code: 'PROCESS_FAILED',
    message: 'run sh: exit code 3: no such disk',
    details: { exitCode: 3 },
  });
});

it('takes other exit codes as results when told so', async () => {
  expect((await runProcess({ program: 'sh', args: ['-c', 'exit 3'], okExitCodes: [0, 3] })).exitCode).toBe(3);
});

it('names a program that is not installed', async () => {
  await expect(runProcess({ program: 'no-such-program-x', args: [] })).rejects.toMatchObject({
    code: 'PROCESS_NOT_FOUND',
  });
  expect(() => startProcess({ program: 'no-such-program-x', args: [] })).toThrow(
    expect.objectContaining({ code: 'PROCESS_NOT_FOUND' }),
  );
});

it('ends a process at its deadline and on cancel, with different codes', async () => {
  await expect(runProcess({ program: 'sleep', args: ['30'], timeoutMs: 100 })).rejects.toMatchObject({
    code: 'PROCESS_STALLED',
  });
  const signal = AbortSignal.timeout(100);
  await expect(runProcess({ program: 'sleep', args: ['30'], signal })).rejects.toMatchObject({
    code: 'OPERATION_CANCELLED',
  });
});

it('talks with a process that goes on running, byte by byte', async () => {
  const chunks: Buffer[] = [];
  const echo = startProcess({
    program: 'cat',
    args: [],
    keepInputOpen: true,
    onStdout: (chunk) => chunks.push(chunk),
  });
  echo.write('one\n\n');
  echo.write(Buffer.from([0xff, 0x0a]));
  while (Buffer.concat(chunks).length < 7) await delay(10);
  await echo.stop();
  echo.write('lost');
  expect(Buffer.concat(chunks)).toEqual(Buffer.from('6f6e650a0aff0a', 'hex'));
});

it('stops a started process that ignores SIGTERM', async () => {
  const stubborn = startProcess({ program: 'sh', args: ['-c', 'trap "" TERM; while :; do sleep 0.1; done'] });
  await delay(200);
  await stubborn.stop(200);
  expect((await stubborn.ended).exitCode).toBe(-1);
  expect(existsSync(`/proc/${stubborn.pid}`)).toBe(false);
});

it('keeps the tail of endless output and does not block the child', async () => {
  const noisy = startProcess({ program: 'sh', args: ['-c', 'seq 1 200000; echo END'] });
  const result = await noisy.ended;
  expect(result.exitCode).toBe(0);
  expect(result.stdout.endsWith('END\n')).toBe(true);
  expect(result.stdout.length).toBeLessThanOrEqual(4096);
});

it('takes a child along when the parent is killed -9', async () => {
  const runtime = fileURLToPath(new URL('./process.ts', import.meta.url));
  const script = `const { startProcess } = await import(${JSON.stringify(runtime)});
    console.log(startProcess({ program: 'sleep', args: ['300'], dieWithParent: true }).pid); setInterval(() => {}, 1000);`;
  const pids: number[] = [];
  const parent = startProcess({
    program: process.execPath,
    args: ['--input-type=module', '-e', script],
    onStdoutLine: (line) => pids.push(Number(line)),
  });
  while (pids.length === 0 || commandOf(pids[0]) !== 'sleep') await delay(50);
  process.kill(parent.pid, 'SIGKILL');
  await parent.ended;
  await delay(300);
  expect(isGone(pids[0])).toBe(true);
});

function commandOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

/** Ended; whether the first process of the machine has collected it yet does not matter. */
function isGone(pid: number | undefined): boolean {
  if (!existsSync(`/proc/${pid}`)) return true;
  return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
