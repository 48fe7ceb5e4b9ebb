import type { GuestFacts, VolumeFacts, WindowsFacts, WindowsVolumeFacts } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import type { ProbeParams } from '../../probe/probeGuest.ts';
import { firmwareOf, type DiskLayout } from '../../volumes/volumeFacts.ts';
import { hasEfiFile } from '../../efi/copyEfiFile.ts';
import { efiSuffix, fallbackPath } from '../../efi/fallbackName.ts';
import { readNtfsState } from '../ntfs/ntfsState.ts';
import { probeWindows } from '../probe/probeWindows.ts';
import { dynamicDiskTypes, espTypes } from '../../volumes/partitionTypes.ts';
import { withVolumeFile } from '../../apply/volumeFile.ts';
import { withNtfs, type NtfsPlace } from './openNtfs.ts';

/** What looking for a Windows gave: its facts, or none, and what could not be looked into. */
export interface WindowsSearch {
  readonly facts: GuestFacts | null;
  readonly remarks: readonly string[];
}

/** Volumes that are looked into: a server with more NTFS volumes boots from one of the first. */
const maxVolumes = 16;
const loader = 'EFI/Microsoft/Boot/bootmgfw.efi';
const architectures: Readonly<Record<string, string>> = { amd64: 'x86_64', x86: 'i386', arm64: 'aarch64' };

function labelOf(volume: VolumeFacts): string {
  const part = volume.partition === null ? '' : ` partition ${volume.partition}`;
  return `disk ${volume.diskIndex}${part}`;
}

function typeOf(layout: DiskLayout, volume: VolumeFacts): string | null {
  const table = layout.tables.get(volume.diskIndex);
  return table?.partitions.find(({ number }) => number === volume.partition)?.type ?? null;
}

function isDynamic(layout: DiskLayout, diskIndex: number): boolean {
  return (layout.tables.get(diskIndex)?.partitions ?? []).some(({ type }) => dynamicDiskTypes.has(type));
}

function placeOf(volume: VolumeFacts, params: ProbeParams): NtfsPlace | null {
  const disk = params.images.find(({ diskIndex }) => diskIndex === volume.diskIndex);
  if (disk === undefined) return null;
  const { workDir, signal } = params;
  return { image: disk.image, volume, access: 'read', acceptDirty: false, workDir, signal };
}

/** The boot loaders of the EFI system partition on the same disk; null = there is none, the guest boots by BIOS. */
async function readEsp(
  root: VolumeFacts,
  arch: WindowsFacts['arch'],
  found: { readonly layout: DiskLayout; readonly params: ProbeParams },
): Promise<WindowsFacts['esp']> {
  const { layout, params } = found;
  const esp = layout.volumes.find(
    (volume) => volume.diskIndex === root.diskIndex && espTypes.has(typeOf(layout, volume) ?? ''),
  );
  const place = esp === undefined ? null : placeOf(esp, params);
  if (esp === undefined || place === null) return null;
  const { offsetBytes, sizeBytes } = esp;
  return await withVolumeFile(place, async (path) => ({
    offsetBytes,
    sizeBytes,
    bootManager: await hasEfiFile(path, loader, params.signal),
    fallback: await hasEfiFile(path, fallbackPath(efiSuffix(arch) ?? 'x64'), params.signal),
  }));
}

function guestFacts(
  windows: WindowsFacts,
  volume: VolumeFacts,
  layout: DiskLayout,
): Omit<GuestFacts, 'remarks'> {
  const { diskIndex, offsetBytes, sizeBytes, content } = volume;
  const build = windows.build === null ? '' : `.${windows.build}`;
  return {
    family: 'windows',
    distribution: windows.productName,
    version: windows.ntVersion === null ? null : `${windows.ntVersion}${build}`,
    arch: windows.arch === null ? null : (architectures[windows.arch] ?? null),
    hostname: windows.computerName,
    root: { diskIndex, offsetBytes, sizeBytes, fileSystem: content },
    firmware: firmwareOf(layout.tables.get(diskIndex)),
    initramfsTool: 'none',
    kernels: [],
    nics: windows.interfaces.map((nic) => ({
      name: nic.name ?? nic.id,
      mac: nic.mac,
      addresses: nic.addresses,
      configPath: `${windows.systemRoot}/System32/config/SYSTEM`,
    })),
    volumes: layout.volumes,
    windows,
  };
}

/** A Windows that can be told by its container alone: nothing of its registry is known. */
function closedWindows(volume: WindowsVolumeFacts): WindowsFacts {
  return {
    productName: null,
    edition: null,
    installationType: null,
    ntVersion: null,
    build: null,
    arch: null,
    systemRoot: 'Windows',
    select: { current: null, default: null, lastKnownGood: null },
    controlSets: [],
    hives: [],
    agents: [],
    hibernation: 'none',
    fastStartup: false,
    volume,
    interfaces: [],
    timeZone: null,
    computerName: null,
    devicePath: null,
    sanPolicy: null,
    esp: null,
  };
}

/** Volumes of LVM or md are Linux's: Windows never lies on one. */
function ntfsPartitions({ volumes }: DiskLayout): readonly VolumeFacts[] {
  return volumes.filter(({ content, name }) => content === 'ntfs' && name === undefined);
}

/** The facts of the Windows on a volume; null when there is none. */
async function lookInto(
  volume: VolumeFacts,
  found: { readonly layout: DiskLayout; readonly params: ProbeParams },
): Promise<Omit<GuestFacts, 'remarks'> | null> {
  const { layout, params } = found;
  const source = layout.sources[layout.volumes.indexOf(volume)] ?? null;
  const place = placeOf(volume, params);
  if (source === null || place === null) return null;
  const state = { ...(await readNtfsState(source)), dynamicDisk: isDynamic(layout, volume.diskIndex) };
  const probed = await withNtfs(place, (files) => probeWindows({ files, volume: state }));
  if (probed === null) return null;
  const esp = await readEsp(volume, probed.facts.arch, found);
  return guestFacts({ ...probed.facts, esp: esp ?? null }, volume, layout);
}

/** What keeps a volume from being looked into is a remark: this machine's tools, or damage. Cancelling is not. */
function remarkOf(volume: VolumeFacts, cause: unknown): string {
  const known = isAppError(cause) && cause.code !== 'OPERATION_CANCELLED';
  const abouts = known && /^(GUEST_|PROCESS_|DISK_SERVER)/.test(cause.code);
  if (!abouts) throw cause;
  return `${labelOf(volume)}: this NTFS volume cannot be looked into: ${cause.message}`;
}

/** BitLocker and dynamic disks: a Windows is there, and why it stays closed. */
function closedGuest(layout: DiskLayout): Omit<GuestFacts, 'remarks'> | null {
  const volume = layout.volumes.find(
    (one) => one.content === 'bitlocker' || dynamicDiskTypes.has(typeOf(layout, one) ?? ''),
  );
  if (volume === undefined) return null;
  const encrypted = volume.content === 'bitlocker';
  const state = {
    dirty: null,
    logClosed: null,
    encrypted,
    dynamicDisk: isDynamic(layout, volume.diskIndex),
  };
  return { ...guestFacts(closedWindows(state), volume, layout), root: null };
}

/**
 * Looks for a Windows on the NTFS volumes: read-only, in the sandbox, without writing anything anywhere. What BitLocker or a
 * dynamic disk hides is a Windows without facts.
 *
 * @throws {AppError} OPERATION_CANCELLED, DISK_* - a disk cannot be opened
 */
export async function probeWindowsGuest(layout: DiskLayout, params: ProbeParams): Promise<WindowsSearch> {
  const remarks: string[] = [];
  const systems: Omit<GuestFacts, 'remarks'>[] = [];
  for (const volume of ntfsPartitions(layout).slice(0, maxVolumes)) {
    try {
      params.signal.throwIfAborted();
      const found = await lookInto(volume, { layout, params });
      if (found !== null) systems.push(found);
    } catch (cause) {
      if (params.signal.aborted)
        throw new AppError({ code: 'OPERATION_CANCELLED', message: 'probe guest: cancelled', cause });
      remarks.push(remarkOf(volume, cause));
    }
  }
  if (systems.length > 1) remarks.push(`${systems.length} installations of Windows were found`);
  const found = systems[0] ?? closedGuest(layout);
  return { facts: found === null ? null : { ...found, remarks }, remarks };
}
