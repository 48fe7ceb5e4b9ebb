import type { AddressRule, Finding, GuestFacts, GuestNeeds, GuestNicFacts, PlannedNic } from '@ascend/domain';
import { movedAddresses } from '@ascend/domain/addresses';
import { planWindowsGuest, type WindowsSources } from '../windows/guest/planWindowsGuest.ts';
import { isPlaceEdit, isTextEdit } from './guestEdit.ts';
import { planAddresses } from './planAddresses.ts';
import { planAgents } from './planAgents.ts';
import { planConsole, planDeviceNames } from './planBoot.ts';
import { planCloudInit } from './planCloudInit.ts';
import { planDrivers } from './planDrivers.ts';
import { planEfiFallback } from './planEfiFallback.ts';
import { joinPlans, type PlannedEdits } from './planFinding.ts';
import { planFirstBoot } from './planFirstBoot.ts';
import { planLayout } from './planLayout.ts';
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
  const layout = planLayout(guest);
  if (layout.length > 0) return layout;
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
  /** For Windows guests; default: no drivers, nothing risky. */
  readonly windows?: WindowsSources;
}

/** The guest's interfaces as they are after the rules, as the planned cards are: both are compared by address. */
function withMovedNics(guest: GuestFacts, rules: readonly AddressRule[]): GuestFacts {
  const moved = (nic: GuestNicFacts): GuestNicFacts => ({
    ...nic,
    addresses: movedAddresses(nic.addresses, rules),
  });
  return rules.length === 0 ? guest : { ...guest, nics: guest.nics.map(moved) };
}

/** All parts but the drivers. A guest that is left alone by all of them needs no new labels. */
function planParts(params: PlanEditsParams): PlannedEdits {
  const { guest, needs, nics, addressRules = [] } = params;
  const network = planNetwork(withMovedNics(guest, addressRules), needs, nics);
  const setAside = new Set(
    network.edits.filter((edit) => edit.kind === 'set-aside').map((edit) => edit.path),
  );
  return joinPlans([
    planDeviceNames(guest),
    network,
    planAddresses(guest, addressRules, setAside),
    planCloudInit(guest, needs),
    planConsole(guest, needs),
    planEfiFallback(guest, needs),
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
 * linked first, then text files change, then each initramfs is rebuilt, which copies some of them, then boot programs are
 * copied on the EFI system partition. A guest that cannot
 * be edited gets blocked findings and no edits.
 */
export function planEdits(params: PlanEditsParams): PlannedEdits {
  const { guest, needs } = params;
  const firmware = planFirmware(guest, needs).findings;
  if (guest.family === 'windows') return planWindowsGuest(params, firmware);
  const blocking = [...obstacles(guest), ...firmware];
  if (blocking.length > 0) return { edits: [], findings: blocking };
  const plan = joinPlans([planDrivers(guest, needs), planParts(params)]);
  const all = joinPlans([plan, planRelabel(guest, needs, plan.edits)]);
  return {
    edits: [
      ...all.edits.filter(isPlaceEdit),
      ...all.edits.filter(isTextEdit),
      ...all.edits.filter((edit) => edit.kind === 'rebuild-initramfs'),
      ...all.edits.filter((edit) => edit.kind === 'copy-efi-file'),
    ],
    findings: all.findings,
  };
}
