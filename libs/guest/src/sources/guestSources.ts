import {
  fitsFileName,
  linuxPackageKind,
  missingLinuxAgents,
  type GuestFacts,
  type GuestNeeds,
} from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { readLinuxPackage, type LinuxPackage } from '../packages/linuxPackage.ts';
import { readPackageFolder, type PackageFile, type PackageFolder } from '../packages/packageFolder.ts';
import { readDriverFolder } from '../windows/drivers/driverFolder.ts';
import { openDriverSource } from '../windows/drivers/driverSource.ts';
import type { WindowsSources } from '../windows/guest/planWindowsGuest.ts';

/** Where this machine keeps what it puts into guests. Absolute paths; opened read-only. */
export interface GuestSources {
  /** Folder of driver packages or an ISO image, laid out like virtio-win; null = none. */
  readonly windowsDrivers: string | null;
  /** Folder of agents' packages; null = none. */
  readonly agentPackages: string | null;
}

/** Nothing is configured. */
export const noGuestSources: GuestSources = { windowsDrivers: null, agentPackages: null };

/** What a plan of edits takes of them. Disposing removes what was unpacked: after the edits were verified. */
export interface OpenedSources extends AsyncDisposable {
  readonly packages: PackageFolder | null;
  readonly drivers: WindowsSources['drivers'];
}

type OpenParams = Parameters<typeof openGuestSources>[0];

/** What a package says about itself; what cannot be read is no package. */
async function lookInto(path: string, context: OpenParams): Promise<LinuxPackage | null> {
  try {
    return await readLinuxPackage(path, context);
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'GUEST_AGENT_PACKAGE_INVALID') throw cause;
    return null;
  }
}

/** The folder; packages that this Linux guest may need are looked into. */
async function openPackages(folder: string, params: OpenParams): Promise<PackageFolder> {
  const found = await readPackageFolder(folder);
  const kind = linuxPackageKind(params.guest);
  if (params.guest.family !== 'linux' || kind === null) return found;
  const patterns = missingLinuxAgents(params.guest, params.needs).map(({ packages }) => packages[kind]);
  const files: PackageFile[] = [];
  for (const file of found.files) {
    const wanted = patterns.some((pattern) => fitsFileName(pattern, file.relPath));
    files.push(wanted ? { ...file, linux: await lookInto(file.path, params) } : file);
  }
  return { ...found, files };
}

/**
 * Reads what the guest may need of them: drivers for a Windows of its architecture, packages of agents for all.
 *
 * @throws {AppError} GUEST_DRIVER_PACKAGE_INVALID, GUEST_AGENT_PACKAGE_INVALID - not there any more, or not readable
 * @throws {AppError} PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openGuestSources(params: {
  readonly sources: GuestSources;
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  /** Private folder; an image is unpacked below it. */
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<OpenedSources> {
  const { sources, guest, workDir, signal } = params;
  const packages = sources.agentPackages === null ? null : await openPackages(sources.agentPackages, params);
  if (guest.windows === undefined || sources.windowsDrivers === null) {
    return { packages, drivers: null, [Symbol.asyncDispose]: async () => undefined };
  }
  const arch = guest.windows.arch ?? 'amd64';
  const source = await openDriverSource({ path: sources.windowsDrivers, arch, workDir, signal });
  try {
    const drivers = await readDriverFolder(source.folder);
    return { packages, drivers, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
  } catch (cause) {
    await source[Symbol.asyncDispose]();
    throw cause;
  }
}
