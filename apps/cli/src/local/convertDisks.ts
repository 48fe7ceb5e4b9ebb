import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { recordBacking } from '@ascend/disk';
import type {
  Finding,
  Firmware,
  GuestFacts,
  GuestNeedsVariant,
  PlannedNic,
  PlatformId,
  VmSpec,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import {
  applianceChoice,
  openGuestSources,
  planEdits,
  probeGuest,
  type ApplianceChoice,
  type GuestEdit,
  type GuestSources,
} from '@ascend/guest';
import { identifyNics } from '@ascend/planner';
import type { Logger } from '@ascend/runtime';
import { assertNotBlocked, writeOverlays, type OverlayDisk } from '@ascend/steps';
import type { GuestChanges } from '../commands/guestOptions.ts';
import { loadGuestHardware } from '../registry.ts';
import { localAppliance } from './appliance.ts';
import { writeConversion, type Conversion } from './conversionFile.ts';
import { openGuestDisks, type GuestDisks } from './guestDisks.ts';
import { chooseFirmware, chooseVariant, firmwareFor } from './hardware.ts';

/** What `local convert` is asked, checked. */
export interface ConvertRequest extends GuestChanges {
  /** Top files of the disks' chains, in disk order. */
  readonly disks: readonly string[];
  readonly platform: PlatformId;
  readonly repositoryRoot: string | null;
  readonly spec: VmSpec | null;
  /** NIC index → MAC. */
  readonly macs: Readonly<Record<string, string>>;
  /** Of the new VM; null = as specified or as the disks are laid out, where the platform has that. */
  readonly firmware: Firmware | null;
  /** Bus of the boot disk in the platform's words; null = its usual one. */
  readonly diskBus: string | null;
  /** What this machine has for guests. */
  readonly sources: GuestSources;
  /** Files with keys of encrypted volumes, as given: `FILE`, `UUID=FILE`. */
  readonly keys: readonly string[];
}

/** What every call needs. */
export interface ConvertContext {
  /** Private scratch folder. */
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly report: (phase: string) => void;
}

/** A conversion that was thought through: nothing is written yet. */
export interface ConversionPlan {
  readonly request: ConvertRequest;
  readonly source: GuestDisks;
  readonly appliance: ApplianceChoice;
  readonly guest: GuestFacts;
  readonly firmware: Firmware;
  readonly variant: GuestNeedsVariant;
  readonly nics: readonly PlannedNic[];
  readonly edits: readonly GuestEdit[];
  readonly findings: readonly Finding[];
}

/** The system in words, as far as it is known. */
export function systemOf(guest: GuestFacts): string {
  return [guest.distribution ?? guest.family, guest.version, guest.arch]
    .filter((part) => part !== null)
    .join(' ');
}

function nicsOf(request: ConvertRequest, guest: GuestFacts, { needs }: GuestNeedsVariant) {
  const { networkIdentity } = needs;
  const identified = identifyNics({
    vmSpec: request.spec,
    guestNics: guest.nics,
    macs: request.macs,
    ownsMac: networkIdentity === 'platform-dhcp',
    networkIdentity,
    addressRules: request.addressRules,
  });
  return {
    // Model and network are chosen when the VM is made: nothing inside the guest depends on them.
    nics: identified.value.map(({ identity }): PlannedNic => ({ ...identity, model: '-', network: '-' })),
    findings: [...identified.findings, ...identified.value.flatMap(({ findings }) => findings)],
  };
}

/**
 * Looks into the disks and computes what has to change for the platform. Reads only; what stands in the way is a finding.
 *
 * @throws {AppError} DISK_*, GUEST_FIRMWARE_UNSUPPORTED - the platform has no hardware for the guest; OPERATION_CANCELLED
 */
export async function planConversion(
  request: ConvertRequest,
  context: ConvertContext,
): Promise<ConversionPlan> {
  const { platform, diskBus, spec } = request;
  const source = await openGuestDisks(request.disks, request.repositoryRoot);
  const hardware = await loadGuestHardware(platform);
  context.report('probe guest');
  const images = source.chains.map((chain, diskIndex) => ({ diskIndex, image: { chain, overlays: [] } }));
  const appliance = await applianceChoice(await localAppliance(context.workDir, request.keys));
  const { addressRules, firstBootScript, executor } = request;
  const guest = await probeGuest({ images, ...context, executor, appliance });
  const known = firmwareFor(spec?.firmware ?? null, guest.firmware);
  const { firmware, wanted } = chooseFirmware(hardware, { ordered: request.firmware, known, diskBus });
  const variant = chooseVariant(hardware, { platform, firmware, diskBus });
  const { nics, findings } = nicsOf(request, guest, variant);
  const { sources, acceptDirty } = request;
  // What was unpacked stays in the scratch folder: its files are read when they are staged.
  const opened = await openGuestSources({ sources, guest, needs: variant.needs, ...context });
  for (const remark of opened.drivers?.remarks ?? [])
    context.logger.warn('driver package left out', { remark });
  const planned = planEdits({
    guest,
    needs: variant.needs,
    nics,
    firmware: wanted,
    addressRules,
    firstBootScript,
    executor,
    packages: opened.packages,
    windows: { drivers: opened.drivers, acceptDirtyFileSystem: acceptDirty },
  });
  return {
    request,
    source,
    appliance,
    guest,
    firmware,
    variant,
    nics,
    edits: planned.edits,
    findings: [...findings, ...planned.findings],
  };
}

/** The folder for the overlays: made when missing, else empty. @throws {AppError} INPUT_INVALID */
async function claimFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true, mode: 0o700 });
    if ((await readdir(out)).length === 0) return;
  } catch (cause) {
    const message = `read --out: ${out} is no folder and cannot be made`;
    throw new AppError({ code: 'INPUT_INVALID', message, cause });
  }
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `read --out: the folder ${out} is not empty`,
    details: { out },
    hint: 'Name a folder that does not exist yet, or an empty one.',
  });
}

function overlaysIn(out: string, plan: ConversionPlan): readonly OverlayDisk[] {
  return plan.source.chains.map((chain, diskIndex) => ({
    diskIndex,
    chain,
    partial: join(out, `disk-${diskIndex}.partial.qcow2`),
    sealed: join(out, `disk-${diskIndex}.qcow2`),
  }));
}

function conversionOf(plan: ConversionPlan, written: Pick<Conversion, 'diff' | 'findings'>): Conversion {
  const { request, variant, firmware, source, guest } = plan;
  return {
    version: 1,
    platform: request.platform,
    variant: variant.id,
    firmware,
    fingerprint: source.fingerprint,
    system: systemOf(guest),
    cpuCount: request.spec?.cpuCount ?? null,
    memoryBytes: request.spec?.memoryBytes ?? null,
    nics: plan.nics.map(({ nicIndex, mac, guestName, addresses, rule }) => ({
      nicIndex,
      mac,
      guestName,
      addresses,
      rule,
    })),
    disks: source.chains.map((chain, diskIndex) => ({
      diskIndex,
      source: chain.layers[0]?.absPath ?? '',
      format: chain.layers[0]?.format ?? 'qcow2',
      repositoryRoot: chain.rootPath,
      overlay: `disk-${diskIndex}.qcow2`,
    })),
    diff: written.diff,
    findings: [...plan.findings, ...written.findings],
  };
}

/**
 * Carries out a plan: overlays `disk-N.qcow2` in `out`, edited, read back and sealed, with `conversion.json` beside them.
 * The backup is opened read-only. On failure or Ctrl-C nothing is left in `out`.
 *
 * @throws {AppError} INPUT_INVALID - `out` is not empty; GUEST_* - a finding forbids it, or an edit failed; DISK_*,
 * OPERATION_CANCELLED
 */
export async function runConversion(
  plan: ConversionPlan,
  out: string,
  context: ConvertContext,
): Promise<Conversion> {
  const folder = resolve(out);
  assertNotBlocked(plan.findings, 'local convert');
  await claimFolder(folder);
  const disks = overlaysIn(folder, plan);
  try {
    const written = await writeOverlays({
      disks,
      images: disks.map(({ diskIndex, chain }) => ({ diskIndex, image: { chain, overlays: [] } })),
      guest: plan.guest,
      edits: plan.edits,
      needs: plan.variant.needs,
      executor: plan.request.executor,
      appliance: plan.appliance,
      ...context,
      onVerified: ({ chain, partial }) => recordBacking({ image: { chain, overlays: [] }, path: partial }),
    });
    const conversion = conversionOf(plan, written);
    await writeConversion(folder, conversion);
    return conversion;
  } catch (cause) {
    const ours = disks.flatMap(({ partial, sealed }) => [partial, sealed]);
    await Promise.all(ours.map((path) => rm(path, { force: true })));
    throw cause;
  }
}
