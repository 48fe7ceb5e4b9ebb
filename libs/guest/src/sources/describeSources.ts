import type { GuestSourceFacts } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { readPackageFolder } from '../packages/packageFolder.ts';
import { devicesOf } from '../windows/drivers/driverDevices.ts';
import { readDriverFolder } from '../windows/drivers/driverFolder.ts';
import { openDriverSource } from '../windows/drivers/driverSource.ts';
import type { GuestSources } from './guestSources.ts';

interface DescribeParams {
  readonly sources: GuestSources;
  /** Private folder; the INF files of an image are unpacked below it for a moment. */
  readonly workDir: string;
  readonly signal?: AbortSignal;
}

async function describeDrivers(
  path: string,
  params: DescribeParams,
): Promise<GuestSourceFacts['windowsDrivers']> {
  const signal = params.signal ?? new AbortController().signal;
  try {
    await using source = await openDriverSource({ path, arch: null, workDir: params.workDir, signal });
    const folder = await readDriverFolder(source.folder);
    return { packages: folder.infs.length, devices: devicesOf(folder), problem: null };
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return { packages: 0, devices: [], problem: cause.message };
  }
}

async function describePackages(folder: string): Promise<readonly string[]> {
  try {
    const { files } = await readPackageFolder(folder);
    return files.map(({ relPath }) => relPath).filter((relPath) => relPath.length <= 512);
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return [];
  }
}

/** Tells what this machine has for guests, for a planner that cannot see its files. What cannot be read is told, never thrown. */
export async function describeSources(params: DescribeParams): Promise<GuestSourceFacts> {
  const { windowsDrivers, agentPackages } = params.sources;
  return {
    windowsDrivers: windowsDrivers === null ? null : await describeDrivers(windowsDrivers, params),
    agentPackages: agentPackages === null ? null : await describePackages(agentPackages),
  };
}
