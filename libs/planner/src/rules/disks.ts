import type { Finding, Firmware, PlannedDisk, RestorePolicy, TargetStorage } from '@ascend/domain';
import { finding, showBytes, showList, type Chosen } from '../finding.ts';
import { nothing, type PlanParams, type StorageReservation } from '../params.ts';
import type { SourceDisks } from './backup.ts';
import { bootsFrom } from './hardware.ts';

interface StorageChoice {
  readonly storage: TargetStorage | null;
  /** Bytes other restores are going to use there. */
  readonly reservedBytes: number;
  readonly others: readonly StorageReservation[];
}

function chooseStorage(params: PlanParams, policy: RestorePolicy): StorageChoice {
  const reservations = params.reservations ?? [];
  const choices = params.targetFacts.storages.map((storage) => {
    const others = reservations.filter((reservation) => reservation.storage === storage.name);
    return { storage, others, reservedBytes: others.reduce((sum, other) => sum + other.bytes, 0) };
  });
  const wanted =
    policy.storage === null ? choices : choices.filter((choice) => choice.storage.name === policy.storage);
  const usable = (choice: (typeof choices)[number]): number =>
    choice.storage.freeBytes - choice.reservedBytes;
  const [best] = [...wanted].sort(
    (a, b) => usable(b) - usable(a) || (a.storage.name < b.storage.name ? -1 : 1),
  );
  return best ?? { storage: null, reservedBytes: 0, others: [] };
}

function spaceFindings(disks: readonly PlannedDisk[], choice: StorageChoice): Finding[] {
  if (choice.storage === null) return [];
  const { name, freeBytes } = choice.storage;
  const usableBytes = freeBytes - choice.reservedBytes;
  const neededBytes = disks.reduce((sum, disk) => sum + disk.bytesToMove, 0);
  const fullBytes = disks.reduce((sum, disk) => sum + disk.targetSizeBytes, 0);
  const shared = {
    subject: 'target',
    evidence: [
      `storage ${name}: ${freeBytes} bytes free`,
      ...choice.others.map((other) => `${other.bytes} bytes reserved by job ${other.jobId}`),
    ].join('; '),
  };
  if (neededBytes > usableBytes) {
    return [
      finding({
        ...shared,
        code: 'PLAN_STORAGE_FULL',
        severity: 'blocked',
        message: `the data needs ${showBytes(neededBytes)}, storage ${name} has ${showBytes(usableBytes)} left`,
      }),
    ];
  }
  if (fullBytes > usableBytes) {
    return [
      finding({
        ...shared,
        code: 'PLAN_STORAGE_OVERCOMMITTED',
        severity: 'warning',
        message: `fully written disks need ${showBytes(fullBytes)}, storage ${name} has ${showBytes(usableBytes)} left`,
      }),
    ];
  }
  return [];
}

function sizeFindings(disks: readonly PlannedDisk[], params: PlanParams, source: SourceDisks): Finding[] {
  const { maxDiskBytes, maxDisks } = params.platform.capabilities;
  const sizes = new Map(source.disks.map(({ facts }) => [facts.diskIndex, facts.virtualSizeBytes]));
  const found: Finding[] = [];
  for (const disk of disks) {
    const subject = `disk:${disk.diskIndex}`;
    const sourceBytes = sizes.get(disk.diskIndex);
    if (sourceBytes !== disk.targetSizeBytes) {
      found.push(
        finding({
          code: 'PLAN_DISK_ROUNDED',
          severity: 'fixed',
          subject,
          message: `disk ${disk.diskIndex} grows from ${sourceBytes} to ${disk.targetSizeBytes} bytes`,
        }),
      );
    }
    if (disk.targetSizeBytes > maxDiskBytes.value) {
      found.push(
        finding({
          code: 'PLAN_DISK_TOO_LARGE',
          severity: 'blocked',
          subject,
          message: `disk ${disk.diskIndex} needs ${showBytes(disk.targetSizeBytes)}, the platform allows ${showBytes(maxDiskBytes.value)}`,
          evidence: `${maxDiskBytes.source}, read ${maxDiskBytes.readOn}`,
        }),
      );
    }
  }
  if (disks.length > maxDisks.value) {
    found.push(
      finding({
        code: 'PLAN_DISKS_TOO_MANY',
        severity: 'blocked',
        subject: 'target',
        message: `the VM has ${disks.length} disks, the platform allows ${maxDisks.value}`,
        evidence: `${maxDisks.source}, read ${maxDisks.readOn}`,
      }),
    );
  }
  return found;
}

/** What decides on the buses of the new VM's disks. */
interface BusChoice {
  readonly params: PlanParams;
  readonly policy: RestorePolicy;
  readonly firmware: Firmware;
}

function busOf({ params, policy, firmware }: BusChoice, diskIndex: number): string {
  const offered = params.platform.capabilities.diskBuses;
  const had = params.vmSpec?.disks.find((disk) => disk.diskIndex === diskIndex)?.bus ?? null;
  // A raw restore keeps the bus the guest has drivers for; a prepared guest gets the first of the platform's choices that its firmware boots from.
  const kept = !policy.prepareGuest && had !== null && offered.includes(had) ? had : null;
  return kept ?? offered.find((bus) => bootsFrom(params, firmware, bus)) ?? offered[0] ?? nothing;
}

/** Sizes, bus and storage of every disk on the target. */
export function planDisks(
  params: PlanParams,
  policy: RestorePolicy,
  from: { readonly source: SourceDisks; readonly firmware: Firmware },
): Chosen<readonly PlannedDisk[]> {
  const { source, firmware } = from;
  const choice = chooseStorage(params, policy);
  const rounding = params.platform.capabilities.diskRoundingBytes;
  const disks = source.disks.map(({ disk, facts }) => ({
    diskIndex: disk.diskIndex,
    targetSizeBytes: Math.ceil(facts.virtualSizeBytes / rounding) * rounding,
    bytesToMove: facts.allocatedBytes,
    bus: busOf({ params, policy, firmware }, disk.diskIndex),
    storage: choice.storage?.name ?? nothing,
    boot: disk.diskIndex === source.bootDisk,
  }));
  const findings = [...sizeFindings(disks, params, source), ...spaceFindings(disks, choice)];
  if (choice.storage === null) {
    const names = params.targetFacts.storages.map((storage) => storage.name).sort();
    findings.push(
      finding({
        code: 'PLAN_STORAGE_UNKNOWN',
        severity: 'blocked',
        subject: 'target',
        message:
          policy.storage === null
            ? `target ${params.target.name} has no storage`
            : `target ${params.target.name} has no storage named ${policy.storage}`,
        evidence: `storages: ${showList(names)}`,
      }),
    );
  }
  return { value: disks, findings };
}
