import { stat } from 'node:fs/promises';
import { dirname, basename, join, resolve } from 'node:path';
import { assertFingerprint, openChain, type DiskImage } from '@ascend/disk';
import type {
  BootReport,
  Firmware,
  GuestFacts,
  GuestNeedsVariant,
  PlannedNic,
  PlatformId,
  VmSpec,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import {
  bootTest,
  checkDrivers,
  chooseRehearsal,
  probeGuest,
  type DriverCheck,
  type Rehearsal,
} from '@ascend/guest';
import { identifyNics } from '@ascend/planner';
import { loadGuestHardware } from '../registry.ts';
import type { ConvertContext } from './convertDisks.ts';
import { conversionName, readConversion, type Conversion } from './conversionFile.ts';
import { openGuestDisks } from './guestDisks.ts';
import { chooseVariant, firmwareFor } from './hardware.ts';

/** What `local boot-test` is asked, checked. */
export interface RehearseRequest {
  /** Disks in their order, or the folder (or overlays) of a conversion. */
  readonly disks: readonly string[];
  readonly platform: PlatformId;
  readonly repositoryRoot: string | null;
  readonly firmware: Firmware | null;
  readonly diskBus: string | null;
  readonly macs: Readonly<Record<string, string>>;
  /** Expression for one line of the serial console; null = a login prompt. */
  readonly expect: RegExp | null;
  readonly cpuCount: number | null;
  readonly memoryBytes: number | null;
  readonly timeoutMs: number;
}

/** What a rehearsal showed, and what no rehearsal can show. */
export interface Rehearsed {
  readonly platform: PlatformId;
  readonly variant: GuestNeedsVariant;
  readonly firmware: Firmware;
  readonly guest: GuestFacts;
  readonly hardware: Rehearsal;
  readonly drivers: readonly DriverCheck[];
  readonly nics: readonly PlannedNic[];
  readonly report: BootReport;
}

interface Disks {
  readonly images: readonly DiskImage[];
  /** null = plain disks. */
  readonly conversion: Conversion | null;
}

const gib = 1024 ** 3;
const defaultMemoryBytes = 2 * gib;
const defaultCpus = 2;

/** The folder of a conversion that the arguments mean: the folder itself, or its overlays. */
async function conversionFolder(disks: readonly string[]): Promise<string | null> {
  const [first = ''] = disks.map((one) => resolve(one));
  const facts = await stat(first).catch(() => null);
  return facts?.isDirectory() === true ? first : dirname(first);
}

async function openConverted(folder: string, conversion: Conversion): Promise<readonly DiskImage[]> {
  const images = await Promise.all(
    conversion.disks.map(async ({ repositoryRoot, source, format, overlay }): Promise<DiskImage> => {
      const chain = await openChain({ rootPath: repositoryRoot, path: source, format });
      return { chain, overlays: [join(folder, overlay)] };
    }),
  );
  assertFingerprint(
    conversion.fingerprint,
    images.map(({ chain }, diskIndex) => ({ diskIndex, layers: chain.layers })),
  );
  for (const path of images.flatMap(({ overlays }) => overlays)) {
    const facts = await stat(path).catch(() => null);
    // Sealing takes away every write bit (D8): what can be written is not finished.
    if (facts?.isFile() === true && (facts.mode & 0o222) === 0) continue;
    const message = `open ${path}: the overlay is ${facts === null ? 'gone' : 'not sealed'}`;
    throw new AppError({ code: 'STEP_OVERLAY_MISSING', message, details: { path } });
  }
  return images;
}

/**
 * Opens the disks: those of a conversion as its file tells, others as chains of their own.
 *
 * @throws {AppError} DISK_SOURCE_CHANGED - the backup is not the converted one any more; STEP_OVERLAY_MISSING, INPUT_INVALID, DISK_*
 */
async function openDisks(request: RehearseRequest): Promise<Disks> {
  const folder = await conversionFolder(request.disks);
  const conversion = folder === null ? null : await readConversion(folder);
  const named = request.disks.map((one) => basename(one));
  const isWhole = request.disks.length === 1 && folder === resolve(request.disks[0] ?? '');
  const overlays = conversion?.disks.map(({ overlay }) => overlay) ?? [];
  if (folder !== null && conversion !== null && (isWhole || overlays.includes(named[0] ?? ''))) {
    if (!isWhole && named.join('\n') !== overlays.join('\n')) {
      const message = `read disks: ${folder} holds ${overlays.join(', ')}, given are ${named.join(', ')}`;
      const hint = 'Give the folder of the conversion, or all of its disks in their order.';
      throw new AppError({ code: 'INPUT_INVALID', message, hint });
    }
    return { images: await openConverted(folder, conversion), conversion };
  }
  if (isWhole) {
    const message = `read disks: the folder ${folder ?? ''} holds no ${conversionName}`;
    const hint = 'Give the folder that local convert wrote, or the disks themselves.';
    throw new AppError({ code: 'INPUT_INVALID', message, hint });
  }
  const { chains } = await openGuestDisks(request.disks, request.repositoryRoot);
  return { images: chains.map((chain) => ({ chain, overlays: [] })), conversion: null };
}

/** Cards of the conversion where there is one, else what the guest's own files tell. */
function nicsOf(
  request: RehearseRequest,
  told: {
    readonly conversion: Conversion | null;
    readonly guest: GuestFacts;
    readonly variant: GuestNeedsVariant;
  },
  model: string,
): readonly PlannedNic[] {
  const { networkIdentity } = told.variant.needs;
  const identities =
    told.conversion?.nics ??
    identifyNics({
      vmSpec: null,
      guestNics: told.guest.nics,
      macs: request.macs,
      ownsMac: networkIdentity === 'platform-dhcp',
      networkIdentity,
      addressRules: [],
    }).value.map(({ identity }) => identity);
  const nics = identities.map(({ nicIndex, mac, guestName, addresses, rule }): PlannedNic => ({
    nicIndex,
    mac: request.macs[String(nicIndex)] ?? mac,
    guestName,
    // Where the platform gives the address, nobody can expect the old one.
    addresses: rule === 'platform-dhcp' ? [] : addresses,
    rule,
    model,
    network: 'rehearsal',
  }));
  const bare: PlannedNic = {
    nicIndex: 0,
    mac: null,
    model,
    network: 'rehearsal',
    guestName: null,
    addresses: [],
    rule: 'unknown-mac',
  };
  return nics.length > 0 ? nics : [bare];
}

function machineOf(
  request: RehearseRequest,
  told: { readonly conversion: Conversion | null; readonly firmware: Firmware },
): VmSpec {
  return {
    name: basename(resolve(request.disks[0] ?? 'disk')),
    cpuCount: request.cpuCount ?? told.conversion?.cpuCount ?? defaultCpus,
    coresPerSocket: null,
    memoryBytes: request.memoryBytes ?? told.conversion?.memoryBytes ?? defaultMemoryBytes,
    firmware: told.firmware,
    secureBoot: false,
    tpm: false,
    disks: [],
    nics: [],
    osId: null,
    notes: null,
    tags: {},
  };
}

/**
 * Boots disks on hardware that stands for a platform's, on throw-away overlays and without a way to a network, and looks up
 * in the guest's files what cannot be emulated.
 *
 * @throws {AppError} GUEST_FIRMWARE_UNSUPPORTED, GUEST_MACHINE_* - the machine cannot be made; DISK_*, OPERATION_CANCELLED
 */
export async function rehearse(request: RehearseRequest, context: ConvertContext): Promise<Rehearsed> {
  const { platform } = request;
  const { images, conversion } = await openDisks(request);
  const { needs: variants, models } = await loadGuestHardware(platform);
  context.report('probe guest');
  const guest = await probeGuest({
    images: images.map((image, diskIndex) => ({ diskIndex, image })),
    ...context,
  });
  const firmware = firmwareFor(request.firmware, conversion?.firmware ?? null, guest.firmware);
  const converted = conversion?.platform === platform ? conversion.variant : null;
  const own = variants.find(({ id }) => id === converted && request.diskBus === null);
  const variant =
    own ?? chooseVariant({ needs: variants, models }, { platform, firmware, diskBus: request.diskBus });
  const model = models.find((one) => one.variant === variant.id);
  if (model === undefined)
    throw new AppError({ code: 'INTERNAL_BUG', message: `rehearse ${variant.id}: it has no hardware model` });
  const hardware = chooseRehearsal(model, guest, firmware);
  const nics = nicsOf(request, { conversion, guest, variant }, hardware.nicModel);
  const bootIndex = guest.root?.diskIndex ?? 0;
  const report = await bootTest({
    images: images.map((image, diskIndex) => ({
      diskIndex,
      image,
      bus: hardware.bus,
      boot: diskIndex === (images.length === 1 ? 0 : bootIndex),
    })),
    vm: machineOf(request, { conversion, firmware }),
    nics,
    workDir: context.workDir,
    evidence: request.expect === null ? 'network' : 'serial-marker',
    serialMarker: request.expect,
    timeoutMs: request.timeoutMs,
    logger: context.logger,
    signal: context.signal,
    report: ({ phase }) => context.report(phase),
  });
  const drivers = checkDrivers(guest, variant.needs, hardware.staticOnly);
  return { platform, variant, firmware, guest, hardware, drivers, nics, report };
}
