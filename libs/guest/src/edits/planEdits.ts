import {
  isBlocked,
  type AddressRule,
  type ExecutorPolicy,
  type Finding,
  type Firmware,
  type GuestFacts,
  type GuestNeeds,
  type GuestNicFacts,
  type PlannedNic,
} from '@ascend/domain';
import { movedAddresses } from '@ascend/domain/addresses';
import type { PackageFolder } from '../packages/packageFolder.ts';
import { planWindowsGuest, type WindowsSources } from '../windows/guest/planWindowsGuest.ts';
import { isPlaceEdit, isTextEdit } from './guestEdit.ts';
import { planAddresses } from './planAddresses.ts';
import { planAgents } from './planAgents.ts';
import { planConsole, planDeviceNames } from './planBoot.ts';
import { planCloudInit } from './planCloudInit.ts';
import { planDrivers } from './planDrivers.ts';
import { planEfiFallback } from './planEfiFallback.ts';
import { joinPlans, nothingPlanned, type PlannedEdits } from './planFinding.ts';
import { planFirmware } from './planFirmware.ts';
import { planFirstBoot } from './planFirstBoot.ts';
import { planExecutor, planKeys, planLayout } from './planLayout.ts';
import { planLinuxAgents } from './planLinuxAgents.ts';
import { planKernelArguments } from './planKernelArguments.ts';
import { planNetwork } from './planNetwork.ts';
import { planBlockedModules, planDeviceCaches, planRelabel, planSwap } from './planSystem.ts';

function blocked(code: Finding['code'], message: string, evidence: string): Finding {
  const action = 'restore without guest preparation when the guest already has the drivers of the target';
  return { code, severity: 'blocked', subject: 'guest', message, evidence, action };
}

/** The appliance has no tools for NTFS and the registry. */
const windowsByAppliance: Finding = {
  code: 'GUEST_EXECUTOR_UNAVAILABLE',
  severity: 'blocked',
  subject: 'guest',
  message: 'a Windows guest is prepared by the sandbox of the host alone, and the appliance is asked for',
  evidence: 'executor: appliance',
  action: 'choose the executor auto or host',
};

/** Reasons why this guest cannot be edited at all. */
function obstacles(guest: GuestFacts, policy: ExecutorPolicy): readonly Finding[] {
  const remarks = guest.remarks.join('; ') || 'no remarks';
  if (guest.family !== 'linux' || guest.root === null) {
    const layout = guest.family === 'linux';
    const locked = layout ? planKeys(guest) : [];
    if (locked.length > 0) return locked;
    return [
      layout
        ? blocked('GUEST_LAYOUT_UNSUPPORTED', 'no root file system that can be edited was found', remarks)
        : blocked('GUEST_UNRECOGNISED', 'no operating system was recognised on the disks', remarks),
    ];
  }
  const layout = planLayout(guest, policy);
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
  /** Packages of agents on this machine; default: none configured. */
  readonly packages?: PackageFolder | null;
  /** Of the new VM, where that is decided: a guest laid out for another one gets a boot loader. Default: as the disks are, else what the target has. */
  readonly firmware?: Firmware | null;
  /** For Windows guests; default: no drivers, nothing risky. */
  readonly windows?: WindowsSources;
  /** Who may edit the guest. Default: `host`; `auto` and `appliance` where an appliance is set up. */
  readonly executor?: ExecutorPolicy;
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
  const agents = planLinuxAgents(guest, needs, params.packages ?? null);
  return joinPlans([
    planDeviceNames(guest),
    network,
    planAddresses(guest, addressRules, setAside),
    planCloudInit(guest, needs),
    planConsole(guest, needs),
    planKernelArguments(guest, needs, network.kernelArguments),
    planBlockedModules(guest, needs),
    planDeviceCaches(guest),
    planAgents(guest, needs),
    planSwap(guest, needs),
    agents,
    planFirstBoot(guest, needs, { agents: agents.script, script: params.firstBootScript ?? null }),
  ]);
}

/**
 * Computes what must change in the guest for the target: pure, a dry run that touches nothing. Files are moved and
 * linked first, then text files change, then each initramfs is rebuilt, which copies some of them, then boot programs are
 * copied on the EFI system partition, then a boot loader for another firmware is put on the disk. A guest that cannot
 * be edited gets blocked findings and no edits.
 */
export function planEdits(params: PlanEditsParams): PlannedEdits {
  const { guest, needs, executor = 'host' } = params;
  const firmware = planFirmware(guest, needs, params.firmware);
  if (guest.family === 'windows') {
    const refused = executor === 'appliance' ? [windowsByAppliance] : [];
    return planWindowsGuest(params, [...firmware.findings, ...refused]);
  }
  const blocking = [
    ...obstacles(guest, executor),
    ...(isBlocked(firmware.findings) ? firmware.findings : []),
  ];
  if (blocking.length > 0) return { edits: [], findings: blocking };
  const fallback = firmware.edits.length > 0 ? nothingPlanned : planEfiFallback(guest, needs);
  const plan = joinPlans([planDrivers(guest, needs), planParts(params), fallback, firmware]);
  const all = joinPlans([plan, planRelabel(guest, needs, plan.edits)]);
  return {
    edits: [
      ...all.edits.filter(isPlaceEdit),
      ...all.edits.filter(isTextEdit),
      ...all.edits.filter((edit) => edit.kind === 'stage-file'),
      ...all.edits.filter((edit) => edit.kind === 'rebuild-initramfs'),
      ...all.edits.filter((edit) => edit.kind === 'copy-efi-file'),
      ...all.edits.filter((edit) => edit.kind === 'convert-firmware'),
    ],
    findings: executor === 'host' ? all.findings : [planExecutor(guest, executor), ...all.findings],
  };
}
