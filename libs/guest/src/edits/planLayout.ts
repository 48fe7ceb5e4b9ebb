import {
  applianceReasons,
  chooseExecutor,
  lockedVolumes,
  type ExecutorPolicy,
  type Finding,
  type GuestFacts,
} from '@ascend/domain';

const restoreRaw = 'restore without guest preparation when the guest already has the drivers of the target';

function blocked(
  message: string,
  evidence: string,
  code: Finding['code'] = 'GUEST_LAYOUT_UNSUPPORTED',
  action = restoreRaw,
): Finding {
  return {
    code,
    severity: 'blocked',
    subject: 'guest',
    message,
    evidence,
    action,
  };
}

/** What keeps the chosen executor from mounting the tree. */
function executorObstacles(guest: GuestFacts, policy: ExecutorPolicy): readonly Finding[] {
  if (policy === 'host') {
    return applianceReasons(guest).map(({ mountPoint, volume, reason }) =>
      blocked(
        `${mountPoint} can be mounted by the appliance alone, and the host executor is asked for`,
        `${volume}: ${reason}`,
      ),
    );
  }
  const { kind, reason } = chooseExecutor(guest, policy);
  const { applianceProblem } = guest;
  if (kind === 'host' || applianceProblem === undefined) return [];
  const message = `the guest needs the appliance, which does not work here: ${applianceProblem}`;
  const action = 'install libguestfs and set up an appliance where the guest is prepared';
  return [blocked(message, reason, 'GUEST_EXECUTOR_UNAVAILABLE', action)];
}

/** Encrypted volumes without a key, where the root was not found: it lies in one of them, most likely. */
export function planKeys(guest: GuestFacts): readonly Finding[] {
  return lockedVolumes(guest).map((uuid) =>
    blocked(
      `a volume of the guest is encrypted (LUKS ${uuid}), and no key has opened it`,
      guest.applianceProblem === undefined
        ? `LUKS ${uuid}`
        : `LUKS ${uuid}; keys are used by the appliance: ${guest.applianceProblem}`,
      'GUEST_ENCRYPTED',
      `give the key: --key ${uuid}=FILE with local commands, the file ${uuid}.key in the key folder of the agent`,
    ),
  );
}

/** Tells who edits the guest, and why. */
export function planExecutor(guest: GuestFacts, policy: ExecutorPolicy): Finding {
  const { kind, reason } = chooseExecutor(guest, policy);
  return {
    code: 'GUEST_EXECUTOR_CHOSEN',
    severity: 'ok',
    subject: 'guest',
    message: `the guest is prepared by the ${kind}`,
    evidence: reason,
    action: 'none',
  };
}

/** Parts of the tree that cannot be reached: nothing is edited then, since half of it would be missed. */
export function planLayout(guest: GuestFacts, policy: ExecutorPolicy): readonly Finding[] {
  const reached = new Set((guest.mounts ?? []).map((mount) => mount.mountPoint));
  const lacking = (guest.boot?.separateMounts ?? []).filter((mountPoint) => !reached.has(mountPoint));
  const remarks = guest.remarks.join('; ');
  return [
    ...executorObstacles(guest, policy),
    ...lacking.map((mountPoint) =>
      blocked(
        `${mountPoint} is a file system of its own that was not found or cannot be read`,
        remarks === '' ? 'etc/fstab' : `etc/fstab; ${remarks}`,
      ),
    ),
  ];
}
