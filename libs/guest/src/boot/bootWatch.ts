import { join } from 'node:path';
import type { EvidenceRung, StepProgress } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { followFile } from './growingFile.ts';
import { askGuestAgent } from './guestAgent.ts';
import type { BootDemand, BootSigns } from './judgement.ts';
import type { MachineFacts } from './machineFacts.ts';
import { isMachineProcess } from './machineProcess.ts';
import { stateFiles } from './machineSpec.ts';
import { watchNetwork, type NetworkProbe } from './networkProbe.ts';
import { withQmp } from './qmpClient.ts';
import { isBlank, looksAlike, type ScreenImage } from './screenImage.ts';
import { grabScreen } from './screenshot.ts';
import { endConsoleLog } from './consoleLog.ts';
import { findFailure, findMarker, plainText } from './serialText.ts';
import { parseIpv4Cidr } from './userNetwork.ts';

/** What counts as booted, and how long to wait for it. */
export interface WaitForEvidenceParams {
  readonly evidence: EvidenceRung;
  /** Literal text on the serial console; null = a login prompt. An expression for one line is what an operator asked for: nothing else counts. */
  readonly serialMarker: string | RegExp | null;
  /** Addresses the guest must keep, in CIDR notation or bare. */
  readonly expectedAddresses: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** `bytesDone` counts console and network bytes seen; there is no total. */
  readonly onProgress: (progress: Pick<StepProgress, 'phase' | 'bytesDone' | 'bytesTotal'>) => void;
}

/** The machine that is watched. */
export interface WatchedMachine {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly stateDir: string;
  readonly facts: MachineFacts;
}

const slowPollMs = 2_000;
const screenPollMs = 5_000;
/** Without any demand a machine is watched this long for signs of failure. */
const noDemandMs = 10_000;
const serialChunkBytes = 256 * 1024;
/** Console text that is kept for the report. */
export const tailCharacters = 64 * 1024;
const maxConsoleLogBytes = 64 * 1024 * 1024;

/** The running state of one watch. */
export interface Watch {
  readonly machine: WatchedMachine;
  readonly params: WaitForEvidenceParams;
  readonly demand: BootDemand;
  readonly clock: Clock;
  readonly network: NetworkProbe;
  readonly serial: ReturnType<typeof followFile>;
  readonly endMs: number;
  text: string;
  marker: BootSigns['marker'];
  agent: BootSigns['agent'];
  wire: BootSigns['wire'];
  failure: string | null;
  screen: ScreenImage | null;
  settled: boolean;
  nextSlowMs: number;
  nextScreenMs: number;
}

/** Begins to watch a machine; nothing is read yet. */
export function startWatch(machine: WatchedMachine, params: WaitForEvidenceParams, clock: Clock): Watch {
  const expected = params.expectedAddresses
    .map((text) => parseIpv4Cidr(text)?.address)
    .filter((address) => address !== undefined);
  const allowanceMs = params.evidence === 'none' ? Math.min(noDemandMs, params.timeoutMs) : params.timeoutMs;
  const nowMs = clock.now();
  return {
    machine,
    params,
    demand: { evidence: params.evidence, expected, onlyMarker: params.serialMarker instanceof RegExp },
    clock,
    network: watchNetwork({ stateDir: machine.stateDir, facts: machine.facts, expected }),
    serial: followFile(join(machine.stateDir, stateFiles.serial)),
    endMs: nowMs + allowanceMs,
    text: '',
    marker: null,
    agent: null,
    wire: { atMs: nowMs, addresses: [] },
    failure: null,
    screen: null,
    settled: false,
    nextSlowMs: 0,
    nextScreenMs: nowMs + screenPollMs,
  };
}

/** Reads what the console printed since the last call and looks for marker and failure signs. */
export async function readSerial(watch: Watch): Promise<void> {
  const chunk = await watch.serial.readNew(serialChunkBytes);
  if (chunk.length === 0) return;
  // The last 64 KiB before the new part are looked at again: a marker may be cut by the end of a read.
  const joined = watch.text + plainText(chunk.toString('utf8'));
  const line = watch.marker === null ? findMarker(joined, watch.params.serialMarker) : null;
  if (line !== null) watch.marker = { atMs: watch.clock.now(), line };
  watch.failure ??= findFailure(joined);
  if (watch.serial.position > maxConsoleLogBytes) await endConsoleLog(watch.machine.stateDir);
  watch.text = joined.slice(-tailCharacters);
}

async function readNetwork(watch: Watch): Promise<void> {
  const addresses = await watch.network.addresses();
  if (addresses.length > watch.wire.addresses.length) watch.wire = { atMs: watch.clock.now(), addresses };
}

/** Takes a picture and compares it with the one before. */
export async function grabAndCompare(watch: Watch): Promise<void> {
  const image = await grabScreen(watch.machine.stateDir);
  if (image === null) return;
  watch.settled = !isBlank(image) && watch.screen !== null && looksAlike(watch.screen, image);
  watch.screen = image;
}

/** QEMU's word for the machine's state when the guest cannot go on by itself. */
async function stoppedStatus(stateDir: string): Promise<string | null> {
  const status = await withQmp({ stateDir }, async (client) => client.execute('query-status')).catch(
    () => null,
  );
  const word = typeof status === 'object' && status !== null && 'status' in status ? status.status : null;
  const bad = ['guest-panicked', 'internal-error', 'io-error', 'shutdown'];
  return typeof word === 'string' && bad.includes(word) ? word : null;
}

async function pollSlowly(watch: Watch): Promise<void> {
  const { stateDir, pid } = watch.machine;
  const nowMs = watch.clock.now();
  if (nowMs >= watch.nextSlowMs) {
    watch.nextSlowMs = nowMs + slowPollMs;
    if (!(await isMachineProcess(pid, stateDir))) {
      watch.failure ??= 'the machine ended by itself';
      return;
    }
    const word = await stoppedStatus(stateDir);
    if (word !== null) watch.failure ??= `the machine stopped: ${word}`;
    const answer = watch.agent === null ? await askGuestAgent(stateDir, watch.params.signal) : null;
    if (answer !== null) watch.agent = { atMs: watch.clock.now(), addresses: answer.addresses };
    await watch.network.knock(watch.params.signal);
  }
  if (watch.clock.now() >= watch.nextScreenMs) {
    await grabAndCompare(watch);
    watch.nextScreenMs = watch.clock.now() + screenPollMs;
  }
}

/** What the watch has seen so far, for a judgement. */
export function signsOf(watch: Watch): BootSigns {
  const { agent, marker, wire, failure } = watch;
  const expired = watch.clock.now() >= watch.endMs;
  return { agent, marker, wire, failure, settledScreen: watch.settled, expired };
}

/** Tells the caller what is waited for and how much was seen. */
export function reportProgress(watch: Watch, phase: string): void {
  const bytesDone = watch.serial.position + watch.network.bytesRead();
  watch.params.onProgress({ phase, bytesDone, bytesTotal: 0 });
}

/** Looks once at everything that can prove or disprove the boot. @throws {AppError} OPERATION_CANCELLED */
export async function pollOnce(watch: Watch): Promise<void> {
  const { signal } = watch.params;
  if (signal.aborted) {
    throw new AppError({
      code: 'OPERATION_CANCELLED',
      message: `watch machine ${watch.machine.facts.name}: cancelled`,
    });
  }
  await readSerial(watch);
  await readNetwork(watch);
  await pollSlowly(watch);
}
