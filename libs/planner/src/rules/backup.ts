import {
  writtenDisks,
  type DiskFacts,
  type Finding,
  type RestorePointDisk,
  type RestorePolicy,
} from '@ascend/domain';
import { finding, findingIf } from '../finding.ts';
import type { PlanParams } from '../params.ts';

/** A disk of the restore point that takes part, with what analysis found out about it. */
interface SourceDisk {
  readonly disk: RestorePointDisk;
  readonly facts: DiskFacts;
}

/** The disks that take part, in index order, and the two that matter for the boot. */
export interface SourceDisks {
  readonly disks: readonly SourceDisk[];
  /** The disk the firmware starts from: boot order of the specification, else the one with the root file system, else the first. */
  readonly bootDisk: number;
  /** Disks that guest preparation writes to: those of the root and of what is mounted into it, and the boot disk. */
  readonly preparedDisks: readonly number[];
  readonly findings: readonly Finding[];
}

function bootDiskOf(params: PlanParams): number {
  const ordered = (params.vmSpec?.disks ?? [])
    .filter((disk) => disk.bootOrder !== null)
    .sort((a, b) => Number(a.bootOrder) - Number(b.bootOrder) || a.diskIndex - b.diskIndex);
  const first = Math.min(...params.restorePoint.disks.map((disk) => disk.diskIndex));
  return ordered[0]?.diskIndex ?? params.facts.guest.root?.diskIndex ?? (Number.isFinite(first) ? first : 0);
}

function backupFindings(params: PlanParams): readonly Finding[] {
  const { backupId, backupType, status, disks } = params.restorePoint;
  const indexes = disks.map((disk) => disk.diskIndex).sort((a, b) => a - b);
  const gap = indexes.findIndex((index, position) => index !== position);
  const about = { severity: 'blocked', subject: 'backup' } as const;
  return [
    ...findingIf(status !== 'completed', {
      ...about,
      code: 'PLAN_BACKUP_INCOMPLETE',
      message: `backup ${backupId} has status ${status}, only completed ones can be restored`,
    }),
    ...findingIf(backupType === 'differential', {
      ...about,
      code: 'PLAN_BACKUP_DIFFERENTIAL',
      message: `backup ${backupId} is a differential`,
    }),
    ...findingIf(disks.length === 0, {
      ...about,
      code: 'PLAN_BACKUP_EMPTY',
      message: `backup ${backupId} has no disks`,
    }),
    ...findingIf(gap !== -1, {
      ...about,
      code: 'PLAN_DISK_GAP',
      subject: `disk:${gap}`,
      message: `backup ${backupId} has no single disk with index ${gap}`,
      evidence: `disk indexes ${indexes.join(', ')}`,
    }),
  ];
}

function exclusionFindings(
  params: PlanParams,
  policy: RestorePolicy,
  needed: ReadonlySet<number>,
): Finding[] {
  const known = new Set(params.restorePoint.disks.map((disk) => disk.diskIndex));
  return [...new Set(policy.excludeDisks)]
    .sort((a, b) => a - b)
    .map((index) => {
      const subject = `disk:${index}`;
      if (!known.has(index)) {
        return finding({
          code: 'PLAN_DISK_UNKNOWN',
          severity: 'blocked',
          subject,
          message: `disk ${index} is to be excluded, but the backup has ${known.size} disks`,
        });
      }
      if (needed.has(index)) {
        return finding({
          code: 'PLAN_BOOT_DISK_EXCLUDED',
          severity: 'blocked',
          subject,
          message: `disk ${index} is to be excluded, but the VM boots from it`,
        });
      }
      return finding({
        code: 'PLAN_DISK_EXCLUDED',
        severity: 'warning',
        subject,
        message: `disk ${index} is left out on request`,
      });
    });
}

function diskFindings(disk: RestorePointDisk, facts: ReadonlyMap<number, DiskFacts>): readonly Finding[] {
  const about = { severity: 'blocked', subject: `disk:${disk.diskIndex}`, evidence: disk.path } as const;
  return [
    ...findingIf(disk.status !== 'completed', {
      ...about,
      code: 'PLAN_DISK_INCOMPLETE',
      message: `disk ${disk.diskIndex} has status ${disk.status}`,
    }),
    ...findingIf(!facts.has(disk.diskIndex), {
      ...about,
      code: 'PLAN_FACTS_MISSING',
      message: `disk ${disk.diskIndex} was not analysed`,
    }),
  ];
}

/** Decides which disks take part and whether the restore point can be restored at all. */
export function chooseDisks(params: PlanParams, policy: RestorePolicy): SourceDisks {
  const bootDisk = bootDiskOf(params);
  const prepared = new Set([bootDisk, ...writtenDisks(params.facts.guest, policy.executor)]);
  const excluded = new Set(policy.excludeDisks);
  const facts = new Map(
    params.facts.backupId === params.restorePoint.backupId
      ? params.facts.disks.map((disk) => [disk.diskIndex, disk])
      : [],
  );
  // A repeated index is reported as a gap; one of them alone keeps step keys unique.
  const wanted = [...new Map(params.restorePoint.disks.map((disk) => [disk.diskIndex, disk])).values()]
    .filter((disk) => !excluded.has(disk.diskIndex))
    .sort((a, b) => a.diskIndex - b.diskIndex);
  return {
    disks: wanted.flatMap((disk) => {
      const known = facts.get(disk.diskIndex);
      return known === undefined ? [] : [{ disk, facts: known }];
    }),
    bootDisk,
    preparedDisks: [...prepared].sort((a, b) => a - b),
    findings: [
      ...backupFindings(params),
      ...exclusionFindings(params, policy, prepared),
      ...wanted.flatMap((disk) => diskFindings(disk, facts)),
    ],
  };
}
