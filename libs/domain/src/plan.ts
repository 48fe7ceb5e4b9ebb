import type { AddressRule } from './addressRule.ts';
import type { ExecutorPolicy } from './executor.ts';
import type { Finding } from './finding.ts';
import type { PlatformId, SourcePlatform } from './platform.ts';
import type { SourceFormat } from './restorePoint.ts';
import type { StepKind } from './step.ts';
import type { Firmware, VmSpec } from './vm.ts';

/** The least evidence that counts as "it boots", best first (D21); a screenshot alone is never enough. */
export type EvidenceRung = 'guest-agent' | 'serial-marker' | 'network' | 'none';

/** The operator's wishes. Every field has a default; the plan holds the filled-in form. */
export interface RestorePolicy {
  /** Name of the new VM; default: the backup's VM name. */
  readonly vmName: string;
  /** false = raw restore: nothing inside the guest is touched. */
  readonly prepareGuest: boolean;
  /** Rehearse the boot on the target's hardware model before any upload. */
  readonly bootTest: boolean;
  /** Start the VM and demand evidence; false = create it powered off. */
  readonly powerOn: boolean;
  readonly evidence: EvidenceRung;
  /** Text that counts as `serial-marker`; null = a login prompt. */
  readonly serialMarker: string | null;
  /** Wall limit of boot-test and start-and-verify. */
  readonly bootTimeoutMs: number;
  /** Disk indexes left out. Never the boot disk. */
  readonly excludeDisks: readonly number[];
  /** Source network → target network; empty = best guess, marked as guess. */
  readonly networkMap: Readonly<Record<string, string>>;
  /** Storage on the target; null = the one with most free space. */
  readonly storage: string | null;
  /** nicIndex → MAC, where nothing else tells. */
  readonly macs: Readonly<Record<string, string>>;
  readonly cpuCount: number | null;
  readonly memoryBytes: number | null;
  /** Bytes per second per disk stream; null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Networks whose addresses move to others inside the guest. */
  readonly addressRules: readonly AddressRule[];
  /** Script that runs once at the first boot, with its `#!` line; null = none. In plain text in the plan: no secrets. */
  readonly firstBootScript: string | null;
  /** Who may mount and edit the guest. Absent (plans of older versions): `auto`. */
  readonly executor?: ExecutorPolicy;
  /** Edit a Windows volume that was in use when it was backed up: what its own log still holds is dropped. */
  readonly acceptDirty: boolean;
}

/** What a caller asks for: `POST restores/plan`. */
export interface RestoreRequest {
  readonly backupId: string;
  readonly targetId: string;
  readonly policy: Partial<RestorePolicy>;
}

/** Where the chain of one disk lies, as the repository agent sees it. */
export interface PlannedSourceDisk {
  readonly diskIndex: number;
  /** Relative to the repository root. */
  readonly relPath: string;
  readonly format: SourceFormat;
  readonly virtualSizeBytes: number;
  readonly allocatedBytes: number;
}

/** The source side of a plan. */
export interface PlannedSource {
  readonly repositoryId: string;
  readonly agentId: string;
  /** Absolute, on that agent. */
  readonly rootPath: string;
  readonly platform: SourcePlatform;
  readonly fingerprint: string;
  readonly disks: readonly PlannedSourceDisk[];
}

/** One disk of the VM to be. */
export interface PlannedDisk {
  readonly diskIndex: number;
  /** After the target's rounding rule. */
  readonly targetSizeBytes: number;
  readonly bytesToMove: number;
  readonly bus: string;
  readonly storage: string;
  readonly boot: boolean;
}

/** One NIC of the VM to be, with the network-identity rule that applies to it. */
export interface PlannedNic {
  readonly nicIndex: number;
  /** null = the platform chooses. */
  readonly mac: string | null;
  readonly model: string;
  readonly network: string;
  /** Interface name inside the guest that must stay, when known. */
  readonly guestName: string | null;
  readonly addresses: readonly string[];
  readonly rule: 'keep-mac-and-address' | 'platform-dhcp' | 'unknown-mac';
}

/** The target side of a plan. */
export interface PlannedTarget {
  readonly targetId: string;
  readonly platform: PlatformId;
  readonly name: string;
  readonly agentId: string;
}

/** A resource a step may create; its name on the target is `ownedName(jobId, stepKey, resourceKey)`. */
export interface PlannedResource {
  readonly resourceKey: string;
  readonly kind: 'overlay' | 'disk' | 'vm';
  /** Rollback goes from high to low. */
  readonly undoOrder: number;
}

/** One step of a plan. Data for its handler is in the plan (`disks`, `vm` …), found by `diskIndex`. */
export interface PlanStep {
  readonly key: string;
  readonly kind: StepKind;
  readonly diskIndex: number | null;
  readonly agentId: string;
  readonly dependsOn: readonly string[];
  /** 0 for steps without bytes. */
  readonly bytes: number;
  /** Resources that must not be used by two running steps at once (D17), e.g. `target-host:<id>`. */
  readonly concurrencyKeys: readonly string[];
  readonly resources: readonly PlannedResource[];
}

/** Time and space the restore is expected to take. */
export interface PlanEstimate {
  readonly bytesToMove: number;
  readonly scratchBytes: number;
  readonly durationP50Ms: number;
  readonly durationP90Ms: number;
}

/** The immutable answer to "what will happen" (D3). */
export interface RestorePlan {
  readonly planVersion: 1;
  readonly planId: string;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  readonly backupId: string;
  readonly sourceVmName: string;
  /** sha256 over fingerprint, VmSpec, policy, platform data version and the target facts used. */
  readonly inputsHash: string;
  /** The inputs by name, so that a stale plan can say what changed. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly policy: RestorePolicy;
  readonly source: PlannedSource;
  readonly target: PlannedTarget;
  readonly vm: VmSpec;
  readonly firmware: Firmware;
  /** The disks are made for another firmware: the guest gets a boot loader for this one. Absent = no. */
  readonly convertsFirmware?: boolean;
  readonly disks: readonly PlannedDisk[];
  readonly nics: readonly PlannedNic[];
  readonly steps: readonly PlanStep[];
  readonly findings: readonly Finding[];
  readonly estimate: PlanEstimate;
}

/** The deterministic name of a resource: the same for every attempt, so that a retry adopts instead of creating twice (D4). */
export function ownedName(jobId: string, step: string, resourceKey: string): string {
  return `ascend-${jobId}-${step}-${resourceKey}`.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-');
}
