import { AppError } from '@ascend/errors';
import { systemClock, type ProcessResult } from '@ascend/runtime';
import { throughBusybox, type GuestRoot } from '../apply/guestRoot.ts';
import { busyboxPath, hostBusybox } from '../apply/guestSandbox.ts';
import { readFile } from 'node:fs/promises';
import type { ApplianceProcess } from './applianceProcess.ts';
import type { Exchange } from './exchange.ts';
import { finishRoot, type RootEnd } from './finishRoot.ts';
import { numberOf, parseRecord } from './fishOutput.ts';

const maxOutputBytes = 64 * 1024 * 1024;
const maxErrorBytes = 64 * 1024;
/** What handing over, starting and cleaning up take on top of a program's own time, under emulation. */
const overheadMs = 120_000;
const killedExitCode = 137;

const runFolder = '/run/ascend';
const scriptPath = `${runFolder}/run`;

/**
 * Runs a program inside the guest's root: $1 seconds, $2 its input, then the program and its arguments, which the shell only
 * passes on. The last line tells exit code and sizes of output and errors.
 */
const script = `#!${busyboxPath} sh
b=${busyboxPath}
limit=$1
input=$2
shift 2
cd /
$b timeout -s KILL "$limit" $b env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TMPDIR=/var/tmp "$@" <"$input" >${runFolder}/out 2>${runFolder}/all
code=$?
$b tail -c ${maxErrorBytes} ${runFolder}/all >${runFolder}/err
echo "$code $($b stat -c %s ${runFolder}/out) $($b stat -c %s ${runFolder}/err)"
`;

interface Parts {
  readonly process: ApplianceProcess;
  readonly exchange: Exchange;
  /** Any device; a tmpfs does not look at it. */
  readonly anyDevice: string;
}

async function upload({ process, exchange }: Parts, bytes: Uint8Array, to: string): Promise<void> {
  const file = await exchange.file(bytes);
  try {
    await process.ask('upload', [file.insidePath, to]);
  } finally {
    await file.remove();
  }
}

async function download({ process, exchange }: Parts, from: string, maxBytes: number): Promise<Buffer> {
  const file = await exchange.file();
  try {
    await process.ask('download', [from, file.insidePath]);
    return await file.read(maxBytes);
  } finally {
    await file.remove();
  }
}

/** A folder of the guest itself; a link could lead elsewhere. @throws {AppError} GUEST_EDIT_FAILED - it is something else */
async function needFolder(process: ApplianceProcess, path: string): Promise<void> {
  const { stdout, error } = await process.tryAsk('lstatns', [path]);
  if (error !== null) {
    await process.ask('mkdir', [path]);
    return;
  }
  const mode = numberOf(parseRecord(stdout.toString('latin1')), 'st_mode') ?? 0;
  if (mode >> 12 === 0o04) return;
  throw new AppError({ code: 'GUEST_EDIT_FAILED', message: `enter guest: ${path} is no folder` });
}

/** Places busybox and the script on a tmpfs over the guest's /run, never on its disk; /tmp is one too. */
async function prepare(parts: Parts): Promise<void> {
  const { process, anyDevice } = parts;
  for (const folder of ['/run', '/tmp']) {
    await needFolder(process, folder);
    await process.ask('mount-vfs', ['mode=0755', 'tmpfs', anyDevice, folder]);
  }
  await process.ask('chmod', ['01777', '/tmp']);
  await process.ask('mkdir', [runFolder]);
  await upload(parts, await readFile(hostBusybox), busyboxPath);
  await upload(parts, Buffer.from(script), scriptPath);
  await upload(parts, Buffer.alloc(0), `${runFolder}/nothing`);
  for (const path of [busyboxPath, scriptPath]) await process.ask('chmod', ['0755', path]);
}

interface Ran {
  readonly exitCode: number;
  readonly outBytes: number;
  readonly errBytes: number;
}

function parseRan(answer: Buffer): Ran {
  const [exitCode, outBytes, errBytes] = (/^(\d+) (\d+) (\d+)\n*$/.exec(answer.toString('latin1')) ?? [])
    .slice(1)
    .map(Number);
  if (exitCode !== undefined && outBytes !== undefined && errBytes !== undefined)
    return { exitCode, outBytes, errBytes };
  throw new AppError({
    code: 'GUEST_EXECUTOR_UNAVAILABLE',
    message: `enter guest: the script answers ${answer.toString('latin1').slice(0, 100)}`,
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

interface RunCommand {
  readonly args: readonly string[];
  readonly input?: Uint8Array;
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs: number;
}

async function runOne(parts: Parts, command: RunCommand): Promise<ProcessResult> {
  const started = systemClock.now();
  const inputPath = `${runFolder}/${command.input === undefined ? 'nothing' : 'in'}`;
  if (command.input !== undefined) await upload(parts, command.input, inputPath);
  const seconds = String(Math.max(1, Math.ceil(command.timeoutMs / 1000)));
  const list = [busyboxPath, 'sh', scriptPath, seconds, inputPath, ...command.args];
  const limits = { timeoutMs: command.timeoutMs + overheadMs };
  const ran = parseRan(await parts.process.ask('command', [list], limits));
  const stdout =
    ran.outBytes === 0 ? '' : (await download(parts, `${runFolder}/out`, maxOutputBytes)).toString('utf8');
  const stderr =
    ran.errBytes === 0 ? '' : (await download(parts, `${runFolder}/err`, maxErrorBytes)).toString('utf8');
  const durationMs = systemClock.now() - started;
  const label = `run ${command.args
    .filter((arg) => arg !== busyboxPath)
    .join(' ')
    .slice(0, 200)} in guest`;
  if (ran.exitCode === killedExitCode && durationMs >= command.timeoutMs) {
    throw new AppError({
      code: 'GUEST_TOOL_STALLED',
      message: `${label}: no end after ${command.timeoutMs} ms`,
    });
  }
  if (!(command.okExitCodes ?? [0]).includes(ran.exitCode)) {
    throw new AppError({
      code: 'GUEST_EDIT_FAILED',
      message: `${label}: exit code ${ran.exitCode}: ${lastLine(stderr)}`,
      details: { stderrTail: stderr },
    });
  }
  return {
    exitCode: ran.exitCode,
    stdout: stdout.replace(/\n$/, ''),
    stderr: stderr.replace(/\n$/, ''),
    durationMs,
  };
}

/**
 * The mounted guest for editing. Programs run with the guest's root as `/` by the appliance's kernel. Its processor time cannot
 * be told from the appliance's own, so `runTool` knows no stall, only `timeoutMs`; under emulation a tool takes 20 times as long
 * (update-initramfs: 164 s), so it is meant for those who ask for it. `onLine` is called when the program has ended.
 */
export function applianceRoot(parts: Parts, end: RootEnd): GuestRoot {
  let prepared: Promise<void> | null = null;
  const run: GuestRoot['run'] = async (command) => {
    await (prepared ??= prepare(parts));
    const result = await runOne(parts, command);
    for (const line of `${result.stdout}\n${result.stderr}`.split('\n'))
      if (line !== '') command.onLine?.(line);
    return result;
  };
  return {
    executor: 'appliance',
    run,
    runTool: ({ args, timeoutMs }) => run({ args, timeoutMs }),
    ...throughBusybox(run),
    finish: () => finishRoot(parts.process, end),
    abandon: () => parts.process.kill(),
  };
}
