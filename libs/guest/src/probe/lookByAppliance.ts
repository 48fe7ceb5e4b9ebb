import { applianceReasons, type ExecutorPolicy, type GuestFacts, type VolumeFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { addApplianceVolumes } from '../appliance/applianceVolumes.ts';
import { applianceReader } from '../appliance/applianceReader.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import { openAppliance, probeAppliance, type ApplianceSession, type VolumeKey } from '../appliance/index.ts';
import { readLayout } from '../volumes/volumeFacts.ts';
import { describeRoot, type DescribeParams } from './describeRoot.ts';
import { findRoot, guestProblem, volumeLabel } from './findRoot.ts';
import { openDisks } from './openDisks.ts';

/** What a look by appliance works with. */
interface LookParams extends DescribeParams {
  readonly executor: ExecutorPolicy;
  readonly appliance: ApplianceChoice | undefined;
}

/**
 * Could an appliance show more of a guest without a known root? Not where all that is closed are encrypted volumes without a key: a start
 * costs minutes without hardware acceleration.
 */
export function couldShowMore({ root, volumes = [] }: GuestFacts, keys: readonly VolumeKey[]): boolean {
  if (root !== null) return true;
  const encrypted = volumes.filter(({ content }) => content === 'luks');
  const hasKey = ({ uuid }: VolumeFacts): boolean =>
    keys.some(({ volume }) => volume === null || volume === uuid?.toLowerCase());
  const others = volumes.some(({ content, requires }) => requires === 'appliance' && content !== 'luks');
  return others || encrypted.length === 0 || encrypted.some(hasKey);
}

/** Did the host's parsers leave a part of a Linux guest unseen: its root, a mount of it, or what a journal holds? */
export function needsAppliance(facts: GuestFacts): boolean {
  if (facts.family !== 'linux') return false;
  if (facts.root === null || applianceReasons(facts).length > 0) return true;
  const reached = new Set((facts.mounts ?? []).map(({ mountPoint }) => mountPoint));
  return (facts.boot?.separateMounts ?? []).some((mountPoint) => !reached.has(mountPoint));
}

/**
 * The whole description of a guest as an appliance sees its disks; facts of the host's look stay where it sees no root.
 *
 * @throws {AppError} DISK_*, GUEST_EXECUTOR_UNAVAILABLE - the appliance ended; OPERATION_CANCELLED
 */
export async function describeByAppliance(
  facts: GuestFacts,
  session: ApplianceSession,
  params: DescribeParams,
): Promise<GuestFacts> {
  await using opened = await openDisks(params.images, params);
  const seen = addApplianceVolumes(await readLayout(opened.disks), await session.inspect());
  const { root, remarks } = await findRoot(seen.layout, applianceReader(session, seen));
  const { volumes } = seen.layout;
  if (root === null) return { ...facts, volumes, remarks: [...facts.remarks, ...remarks] };
  const inUse = root.dirty.map(
    (volume) => `${volumeLabel(volume)}: was in use when backed up; its journal is replayed`,
  );
  try {
    const found = await describeRoot(root, { layout: seen.layout, disks: opened.disks }, params);
    return { ...found, remarks: [...remarks, ...found.remarks, ...inUse] };
  } catch (cause) {
    const remark = `${volumeLabel(root.volume)}: ${guestProblem(cause)}`;
    return { ...facts, volumes, remarks: [...facts.remarks, ...remarks, remark] };
  }
}

/** Why no appliance can look; null: one can. @throws {AppError} OPERATION_CANCELLED */
async function problemOf({ appliance, workDir, signal }: LookParams): Promise<string | null> {
  if (appliance === undefined) return 'none is set up';
  const { works, reason } = await probeAppliance({ ...appliance, workDir, signal });
  return works ? null : (reason ?? 'it does not start');
}

/**
 * Looks at a guest through an appliance. With `auto`, facts of the host stay where none works, and say so.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - `appliance` was asked for and none works here
 * @throws {AppError} GUEST_KEY_REJECTED, DISK_*, OPERATION_CANCELLED
 */
export async function lookByAppliance(facts: GuestFacts, params: LookParams): Promise<GuestFacts> {
  const { images, workDir, logger, signal, executor, appliance } = params;
  if (executor === 'auto' && appliance !== undefined && !couldShowMore(facts, appliance.keys)) return facts;
  const problem = await problemOf(params);
  if (problem !== null && executor === 'auto') {
    logger.info('no appliance looks at the guest', { reason: problem });
    return { ...facts, applianceProblem: problem };
  }
  if (problem !== null || appliance === undefined) {
    const message = `look by appliance: ${problem ?? ''}`;
    throw new AppError({ code: 'GUEST_EXECUTOR_UNAVAILABLE', message });
  }
  const session = await openAppliance({ ...appliance, images, writable: false, workDir, logger, signal });
  try {
    return await describeByAppliance(facts, session, params);
  } finally {
    await session.close();
  }
}
