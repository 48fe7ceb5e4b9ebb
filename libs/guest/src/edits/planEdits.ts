import type { Finding, GuestFacts, GuestNeeds, PlannedNic } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';
import { planConsole, planDeviceNames } from './planBoot.ts';
import { planDrivers, type PlannedEdits } from './planDrivers.ts';
import { planNetwork } from './planNetwork.ts';

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

function isRebuild(edit: GuestEdit): boolean {
  return edit.kind === 'rebuild-initramfs';
}

/**
 * Computes what must change in the guest for the target: pure, a dry run that touches nothing. Text files come before
 * the rebuild of each initramfs, which copies some of them. A guest that cannot be edited gets blocked findings and no edits.
 */
export function planEdits(params: {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly nics: readonly PlannedNic[];
}): PlannedEdits {
  const { guest, needs, nics } = params;
  const blocking = obstacles(guest);
  if (blocking.length > 0) return { edits: [], findings: blocking };
  const drivers = planDrivers(guest, needs);
  const parts = [planDeviceNames(guest), planNetwork(guest, needs, nics), planConsole(guest, needs)];
  return {
    edits: [
      ...parts.flatMap((part) => part.edits),
      ...drivers.edits.filter((edit) => !isRebuild(edit)),
      ...drivers.edits.filter(isRebuild),
    ],
    findings: [...drivers.findings, ...parts.flatMap((part) => part.findings)],
  };
}
