import type { Finding } from '@ascend/domain';
import { parseNtVersion } from '../drivers/infTarget.ts';
import { finding, type WindowsPlanParams } from './planParams.ts';

const withoutPreparation =
  'restore without guest preparation when the guest already has the drivers of the target';

function versionFinding({ facts }: WindowsPlanParams): readonly Finding[] {
  const version = parseNtVersion(facts.ntVersion);
  // Older than Windows 7 and Server 2008 R2: other driver model, no signed drivers to be had.
  const known = version !== null && (version.major === 10 || (version.major === 6 && version.minor >= 1));
  if (known && facts.build !== null && facts.arch !== null && facts.controlSets.length > 0) return [];
  const evidence = `version ${facts.ntVersion ?? '?'}, build ${facts.build ?? '?'}, ${facts.arch ?? 'unknown architecture'}, ${facts.controlSets.length} control sets`;
  const message = `${facts.productName ?? 'this Windows'} is not a version that can be prepared`;
  return [finding('GUEST_UNRECOGNISED', 'blocked', { message, evidence, action: withoutPreparation })];
}

function volumeFindings(params: WindowsPlanParams): readonly Finding[] {
  const { volume } = params.facts;
  const findings: Finding[] = [];
  if (volume.encrypted && !params.unlocked) {
    const action = 'give the recovery key, or suspend BitLocker in the source VM and take a new backup';
    const message = 'the Windows volume is encrypted by BitLocker and no key was given';
    findings.push(
      finding('GUEST_ENCRYPTED', 'blocked', { message, evidence: '-FVE-FS- in the boot sector', action }),
    );
  }
  if (volume.dynamicDisk) {
    const message = 'the Windows volume lies on a dynamic disk';
    const action =
      'convert the system disk to a basic disk in the source VM, or restore without guest preparation';
    findings.push(
      finding('GUEST_LAYOUT_UNSUPPORTED', 'blocked', { message, evidence: 'LDM partition', action }),
    );
  }
  if (volume.dirty === true || volume.logClosed === false) {
    const severity = params.acceptDirtyFileSystem ? 'warning' : 'blocked';
    const evidence = `dirty flag ${volume.dirty === true ? 'set' : 'clear'}, $LogFile ${volume.logClosed === false ? 'open' : 'closed'}`;
    const message =
      'the Windows volume was in use when it was backed up; its last changes lie in its log, which an edit drops';
    const action = params.acceptDirtyFileSystem
      ? 'none: the operator allowed it; Windows checks the volume at the first boot when it must'
      : 'back the VM up when it is shut down, or allow the edit of a volume that was in use';
    findings.push(finding('GUEST_FILE_SYSTEM_DIRTY', severity, { message, evidence, action }));
  }
  return findings;
}

function hibernationFinding({ facts }: WindowsPlanParams): readonly Finding[] {
  if (facts.hibernation !== 'hibernated') return [];
  const how = facts.fastStartup ? 'hibernated, perhaps by a shutdown with fast start-up' : 'hibernated';
  const evidence = 'hiberfil.sys holds memory to resume';
  const action = 'shut the source VM down fully (shutdown /s /t 0, fast start-up off) and take a new backup';
  return [finding('GUEST_HIBERNATED', 'blocked', { message: `the guest is ${how}`, evidence, action })];
}

function hiveFindings({ facts }: WindowsPlanParams): readonly Finding[] {
  return facts.hives.flatMap((hive) => {
    if (hive.state === 'clean') return [];
    const evidence = hive.path;
    if (hive.state === 'recovered') {
      const message = `the registry hive ${hive.name} was not flushed`;
      const action = 'its transaction logs are put in place before the edits';
      return [finding('GUEST_HIVE_DIRTY', 'fixed', { message, evidence, action })];
    }
    const message = `the registry hive ${hive.name} was not flushed and its transaction logs do not fit`;
    const action = 'choose another restore point';
    return [finding('GUEST_HIVE_DIRTY', 'blocked', { message, evidence, action })];
  });
}

/** Behind encryption, or on a dynamic disk that is no plain partition: no file of it was read. */
function isClosed({ facts, unlocked }: WindowsPlanParams): boolean {
  return (facts.volume.encrypted && !unlocked) || (facts.volume.dynamicDisk && facts.hives.length === 0);
}

/** Reasons why this Windows must not be edited, and what had to be put right to read it. */
export function windowsObstacles(params: WindowsPlanParams): readonly Finding[] {
  return [
    ...volumeFindings(params),
    ...hibernationFinding(params),
    ...hiveFindings(params),
    ...(isClosed(params) ? [] : versionFinding(params)),
  ];
}
