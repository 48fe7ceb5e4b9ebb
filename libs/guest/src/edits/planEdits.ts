import type { AddressRule, Finding, GuestFacts, GuestNeeds, PlannedNic } from '@ascend/domain';
import { isPlaceEdit, isTextEdit } from './guestEdit.ts';
import { planAddresses } from './planAddresses.ts';
import { planAgents } from './planAgents.ts';
import { planConsole, planDeviceNames } from './planBoot.ts';
import { planCloudInit } from './planCloudInit.ts';
import { planDrivers } from './planDrivers.ts';
import { joinPlans, type PlannedEdits } from './planFinding.ts';
import { planFirstBoot } from './planFirstBoot.ts';
import { planKernelArguments } from './planKernelArguments.ts';
import { planNetwork } from './planNetwork.ts';
import { planBlockedModules, planDeviceCaches, planFirmware, planRelabel, planSwap } from './planSystem.ts';

function blocked(code: Finding['code'], message: string, evidence: string): Finding {
  const action = 'restore without guest preparation when the guest already has the drivers of the target';
  return { code, severity: 'blocked', subject: 'guest', message, evidence, action };
}

/** Reasons why this guest cannot be edited at all. */
function obstacles(guest: GuestFacts): readonly Finding[] {
  const remarks = guest.remarks.join('; ') || 'no remarks';
  if (guest.family !== 'linux' || guest.root === null) {
    const layout = guest.family === 'linux';
    return [
      layout
        ? blocked('GUEST_LAYOUT_UNSUPPORTED', 'no root file system that can be edited was found', remarks)
        : blocked('GUEST_UNRECOGNISED', 'no operating system was recognised on the disks', remarks),
    ];
  }
  const separate = guest.boot?.separateMounts ?? [];
  if (separate.length > 0) {
    const message = `${separate.join(', ')} is a file system of its own, which is not prepared yet`;
    return [blocked('GUEST_LAYOUT_UNSUPPORTED', message, 'etc/fstab')];
  }
  if (!guest.kernels.some((kernel) => kernel.initramfsPath !== null)) {
    return [blocked('GUEST_KERNEL_MISSING', 'no kernel with an initramfs was found in boot/', remarks)];
  }
  return [];
}

/** What a plan is made from. */
export interface PlanEditsParams {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly nics: readonly PlannedNic[];
  /** Networks that addresses move to; default: none. */
  readonly addressRules?: readonly AddressRule[];
  /** Script of the operator for the first boot, with its `#!` line; default: none. */
  readonly firstBootScript?: string | null;
}

/** All parts but the drivers. A guest that is left alone by all of them needs no new labels. */
function planParts(params: PlanEditsParams): PlannedEdits {
  const { guest, needs, nics } = params;
  const network = planNetwork(guest, needs, nics);
  const setAside = new Set(
    network.edits.filter((edit) => edit.kind === 'set-aside').map((edit) => edit.path),
  );
  return joinPlans([
    planDeviceNames(guest),
    network,
    planAddresses(guest, params.addressRules ?? [], setAside),
    planCloudInit(guest, needs),
    planConsole(guest, needs),
    planKernelArguments(guest, needs, network.kernelArguments),
    planBlockedModules(guest, needs),
    planDeviceCaches(guest),
    planAgents(guest, needs),
    planSwap(guest, needs),
    planFirstBoot(guest, needs, params.firstBootScript ?? null),
  ]);
}

/**
 * Computes what must change in the guest for the target: pure, a dry run that touches nothing. Files are moved and
 * linked first, then text files change, then each initramfs is rebuilt, which copies some of them. A guest that cannot
 * be edited gets blocked findings and no edits.
 */
export function planEdits(params: PlanEditsParams): PlannedEdits {
  const { guest, needs } = params;
  const firmware = planFirmware(guest, needs).findings;
  const blocking = [...obstacles(guest), ...firmware];
  if (blocking.length > 0) return { edits: [], findings: blocking };
  const plan = joinPlans([planDrivers(guest, needs), planParts(params)]);
  const all = joinPlans([plan, planRelabel(guest, needs, plan.edits)]);
  return {
    edits: [
      ...all.edits.filter(isPlaceEdit),
      ...all.edits.filter(isTextEdit),
      ...all.edits.filter((edit) => edit.kind === 'rebuild-initramfs'),
    ],
    findings: all.findings,
  };
}
