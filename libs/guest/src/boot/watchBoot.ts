import { join } from 'node:path';
import type { BootReport } from '@ascend/domain';
import { systemClock, type Clock } from '@ascend/runtime';
import {
  grabAndCompare,
  pollOnce,
  readSerial,
  reportProgress,
  signsOf,
  startWatch,
  tailCharacters,
  type WaitForEvidenceParams,
  type Watch,
  type WatchedMachine,
} from './bootWatch.ts';
import { endConsoleLog } from './consoleLog.ts';
import { readTail } from './growingFile.ts';
import { isProven, judgeBoot, listEvidence, type BootSigns } from './judgement.ts';
import { stateFiles } from './machineSpec.ts';
import { encodePngWithin } from './screenImage.ts';
import { maxScreenshotBytes } from './screenshot.ts';
import { findFailure, findMarker } from './serialText.ts';

const pollMs = 250;
/** After the first failure sign: time for the lines that explain it. */
const explainMs = 1_000;
/** After a better proof than the marker: time for the marker itself. */
const markerGraceMs = 3_000;
/** After the proof: time for expected addresses that were not seen yet. */
const addressGraceMs = 15_000;

async function pollFor(watch: Watch, durationMs: number, isEnough: () => boolean): Promise<void> {
  const end = watch.clock.now() + durationMs;
  while (!isEnough() && watch.clock.now() < end) {
    await watch.clock.sleep(pollMs);
    await pollOnce(watch);
  }
}

/** The marker's line may have been cut by the moment it was read; by now its rest is there. */
async function completeMarker(watch: Watch): Promise<void> {
  if (watch.marker === null) return;
  await watch.clock.sleep(pollMs);
  await readSerial(watch);
  watch.marker = {
    atMs: watch.marker.atMs,
    line: findMarker(watch.text, watch.params.serialMarker) ?? watch.marker.line,
  };
}

/** The demand is met; what else there is to see soon belongs into the report: the marker, then the addresses on the wire. */
async function gatherTheRest(watch: Watch): Promise<void> {
  reportProgress(watch, 'wait for the rest of the evidence');
  await pollFor(watch, markerGraceMs, () => watch.marker !== null);
  const { expected } = watch.demand;
  await pollFor(watch, addressGraceMs, () =>
    expected.every((address) => watch.wire.addresses.includes(address)),
  );
  await completeMarker(watch);
}

/** Waits for the lines that follow the first sign of failure and keeps the one that explains most. */
async function explainFailure(watch: Watch): Promise<void> {
  if (watch.failure === null) return;
  await pollFor(watch, explainMs, () => false);
  watch.failure = findFailure(watch.text) ?? watch.failure;
}

async function pollToVerdict(watch: Watch): Promise<BootReport['verdict']> {
  for (;;) {
    await pollOnce(watch);
    reportProgress(watch, `wait for ${watch.demand.evidence}`);
    const verdict = judgeBoot(signsOf(watch), watch.demand);
    if (verdict === 'passed') {
      await gatherTheRest(watch);
      return verdict;
    }
    if (verdict !== null) return verdict;
    await watch.clock.sleep(pollMs);
  }
}

/** Two pictures half a second apart, unless the earlier ones have shown already that the screen is at rest. */
async function takeLastPicture(watch: Watch): Promise<void> {
  await grabAndCompare(watch);
  if (watch.settled || watch.screen === null) return;
  await watch.clock.sleep(pollMs * 2);
  await grabAndCompare(watch);
}

/** The earliest moment of the best proofs; the wire counts only when there is nothing better. */
function provenAtMs(signs: BootSigns): number {
  const times = [signs.agent?.atMs, signs.marker?.atMs].filter((atMs) => atMs !== undefined);
  return times.length === 0 ? signs.wire.atMs : Math.min(...times);
}

/**
 * Watches a machine until the demanded evidence is there, a sign of failure appears, or time is over. Repeatable: a second
 * watch of the same machine finds what the first one found. The machine goes on running.
 *
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function watchBoot(
  machine: WatchedMachine,
  params: WaitForEvidenceParams,
  clock: Clock = systemClock,
): Promise<BootReport> {
  const watch = startWatch(machine, params, clock);
  const verdict = await pollToVerdict(watch);
  if (verdict === 'failed') await explainFailure(watch);
  await takeLastPicture(watch);
  // A machine in service writes neither traffic nor console text to this disk any more.
  if (verdict === 'passed') {
    await watch.network.close();
    await endConsoleLog(machine.stateDir);
  }
  const signs = signsOf(watch);
  const readyAtMs = isProven(signs, watch.demand) ? provenAtMs(signs) : null;
  const png = watch.screen === null ? null : encodePngWithin(watch.screen, maxScreenshotBytes);
  return {
    verdict,
    evidence: listEvidence(signs, watch.demand, clock.now()),
    addresses: [...new Set([...signs.wire.addresses, ...(signs.agent?.addresses ?? [])])],
    readyAfterMs: readyAtMs === null ? null : Math.max(0, Math.round(readyAtMs - machine.startedAtMs)),
    acceleration: machine.facts.acceleration,
    serialTail: await readTail(join(machine.stateDir, stateFiles.serial), tailCharacters),
    screenshotPng: png?.toString('base64') ?? null,
  };
}
