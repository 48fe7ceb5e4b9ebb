import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DiskImage } from '@ascend/disk';
import type { BootReport, Finding, PlannedNic } from '@ascend/domain';
import { bootTest } from '@ascend/guest';
import { silentLogger, systemClock } from '@ascend/runtime';
import { builtMatrixGuest, type BuiltGuest } from '../guests/matrix/buildGuest.ts';
import { matrixMarker, readyPattern } from '../guests/matrix/matrixFiles.ts';
import { matrixNic } from '../guests/matrix/matrixGuest.ts';
import { matrixGuest } from '../guests/matrix/matrixGuests.ts';
import { guestImages } from '../guests/matrix/sourceMachine.ts';
import { cellId, type CellOutcome, type MatrixCell } from './cells.ts';
import { convertGuest } from './convertGuest.ts';
import { targetHardware, type TargetHardware } from './targets.ts';

/** What became of a cell. JSON. */
export interface CellResult {
  readonly id: string;
  readonly outcome: CellOutcome;
  /** Probe, edits and reading back; null = not converted. */
  readonly convertSeconds: number | null;
  /** From power-on to the proof, or to giving up; null = not started. */
  readonly bootSeconds: number | null;
  /** Address and interface as the guest itself printed them; null = it printed none. */
  readonly address: string | null;
  /** The guest's own line, the console's explanation or the finding. */
  readonly detail: string;
  /** When, ISO 8601. */
  readonly at: string;
}

const bootTimeoutMs = 600_000;

function plannedNic(built: BuiltGuest, { nicModel, hasNic, needs }: TargetHardware): PlannedNic {
  const { mac, address } = matrixNic(built.guest);
  const isKept = needs.networkIdentity === 'pin-by-mac';
  return {
    nicIndex: 0,
    mac: isKept ? mac : null,
    model: nicModel,
    network: 'matrix',
    guestName: null,
    addresses: hasNic ? [address] : [],
    rule: isKept ? 'keep-mac-and-address' : 'platform-dhcp',
  };
}

function describe(findings: readonly Finding[]): string {
  const blocking = findings.filter(({ severity }) => severity === 'blocked');
  const texts = blocking.map(({ code, message, evidence }) => `${code}: ${message} (${evidence})`);
  return texts.join('; ') || 'no root file system';
}

async function boot(
  cell: MatrixCell,
  built: BuiltGuest,
  nic: PlannedNic,
  images: readonly DiskImage[],
  workDir: string,
): Promise<BootReport> {
  return bootTest({
    images: images.map((image, diskIndex) => ({
      diskIndex,
      image,
      bus: cell.bus,
      boot: diskIndex === built.guest.rootDisk,
    })),
    vm: built.vm,
    nics: [nic],
    workDir,
    evidence: 'serial-marker',
    serialMarker: matrixMarker,
    timeoutMs: bootTimeoutMs,
    logger: silentLogger,
    signal: new AbortController().signal,
    report: () => undefined,
  });
}

/** The line of the guest or its machine that decides; empty = none. */
function decisiveLine(report: BootReport): string {
  return report.evidence.find(({ rung }) => rung === 'serial-marker')?.summary ?? '';
}

/** The guest's own word counts for its address and interface; the wire must agree where there is one. */
function judge(report: BootReport, built: BuiltGuest, nic: PlannedNic, line: string): CellOutcome {
  if (report.verdict !== 'passed') return line === '' ? 'silent' : 'down';
  if (nic.addresses.length === 0) return 'up';
  const onWire = nic.addresses.every((address) => report.addresses.includes(address.replace(/\/.*$/, '')));
  return onWire && readyPattern(built.guest).test(line) ? 'up' : 'no-address';
}

/** Address and interface in a guest's own line; null = it has none. */
export function addressIn(line: string): string | null {
  return /addr=(\S+ if=\S+)/.exec(line)?.[1]?.replace(' if=', ' ') ?? null;
}

function secondsSince(begunMs: number): number {
  return Math.round((systemClock.now() - begunMs) / 1000);
}

async function runInFolder(cell: MatrixCell, built: BuiltGuest, workDir: string): Promise<CellResult> {
  const hardware = targetHardware(cell.target, cell.bus, built.guest.firmware);
  const nic = plannedNic(built, hardware);
  const base = { id: cellId(cell), address: null, bootSeconds: null };
  let images = await guestImages(built);
  let convertSeconds: number | null = null;
  if (cell.isConverted) {
    const begun = systemClock.now();
    const signal = new AbortController().signal;
    const conversion = await convertGuest({ images, needs: hardware.needs, nics: [nic], workDir, signal });
    convertSeconds = secondsSince(begun);
    const at = new Date().toISOString();
    if (conversion.isRefused) {
      return { ...base, outcome: 'refused', convertSeconds, detail: describe(conversion.findings), at };
    }
    images = conversion.images;
  }
  const begun = systemClock.now();
  const report = await boot(cell, built, nic, images, workDir);
  const line = decisiveLine(report);
  return {
    ...base,
    outcome: judge(report, built, nic, line),
    convertSeconds,
    bootSeconds: report.readyAfterMs === null ? secondsSince(begun) : Math.round(report.readyAfterMs / 1000),
    address: addressIn(line),
    detail: line || 'neither proof nor explanation in time',
    at: new Date().toISOString(),
  };
}

/** Runs one cell: overlay, conversion unless it is to be shown that it is needed, boot, verdict. Leaves nothing behind. */
export async function runCell(cell: MatrixCell, cacheDir: string): Promise<CellResult> {
  const built = await builtMatrixGuest(matrixGuest(cell.guest), { cacheDir });
  const workDir = await mkdtemp(join(tmpdir(), 'ascend-cell-'));
  try {
    return await runInFolder(cell, built, workDir);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
