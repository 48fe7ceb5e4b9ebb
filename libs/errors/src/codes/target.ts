import type { CodeTable } from '../category.ts';

/** Codes of the area `target`: what a platform, or the check of one, may answer. */
export const targetCodes = {
  TARGET_CONNECTION_INVALID: {
    category: 'invalid',
    meaning: 'The connection of a target does not have the form that its platform expects.',
    hint: 'Correct the field that the message names and save the target again.',
  },
  TARGET_UNREACHABLE: {
    category: 'unavailable',
    meaning: 'The target, or a part of it such as a storage, does not answer.',
    hint: 'Check that the target is up and that the agent can reach it, then retry.',
  },
  TARGET_DENIED: {
    category: 'denied',
    meaning: 'The target refused the agent: credentials or permissions are not enough.',
    hint: 'Give the account the permission that the message names, then retry.',
  },
  TARGET_THROTTLED: {
    category: 'exhausted',
    meaning: 'The target asks for fewer calls.',
    hint: 'Nothing to do: the step waits and goes on by itself.',
  },
  TARGET_NAME_TAKEN: {
    category: 'conflict',
    meaning: 'A VM with the wanted name exists on the target and is not ours.',
    hint: 'Choose another name for the new VM, or remove the one that holds the name.',
  },
  TARGET_NAME_ILLEGAL: {
    category: 'invalid',
    meaning: 'The target does not allow this VM name.',
    hint: 'Choose a name of the form that the message shows.',
  },
  TARGET_STORAGE_UNKNOWN: {
    category: 'missing',
    meaning: 'The target has no storage of the planned name.',
    hint: 'Choose one of the storages that the evidence lists.',
  },
  TARGET_STORAGE_FULL: {
    category: 'exhausted',
    meaning: 'The planned storage of the target has not enough free space.',
    hint: 'Free space there or choose another storage, then retry.',
  },
  TARGET_NETWORK_UNKNOWN: {
    category: 'missing',
    meaning: 'The target has no network of the planned name.',
    hint: 'Map the network to one of those that the evidence lists.',
  },
  TARGET_DISK_TOO_LARGE: {
    category: 'unsupported',
    meaning: 'A disk is larger than the target allows.',
    hint: 'Leave the disk out, or choose a target with a higher limit.',
  },
  TARGET_DEVICES_TOO_MANY: {
    category: 'unsupported',
    meaning: 'The VM has more disks or network cards than the target allows.',
    hint: 'Leave some out, or choose a target with a higher limit.',
  },
  TARGET_HARDWARE_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The target does not know the planned disk bus, network card or firmware.',
    hint: 'Choose one of those that the evidence lists.',
  },
  TARGET_MEMORY_SHORT: {
    category: 'exhausted',
    meaning: 'The VM wants more memory or processors than the target has.',
    hint: 'Give the new VM less, or choose a larger target.',
  },
  TARGET_ACCELERATION_MISSING: {
    category: 'unsupported',
    meaning: 'The target runs VMs without hardware acceleration.',
    hint: 'Expect the VM to run ten to thirty times slower than on real hardware.',
  },
  TARGET_DISK_MISSING: {
    category: 'missing',
    meaning: 'A disk that the VM needs is not on the target.',
    hint: 'Retry the job from the transfer of that disk.',
  },
  TARGET_VM_MISSING: {
    category: 'missing',
    meaning: 'The VM is not on the target any more.',
    hint: 'Somebody removed it: start the restore again.',
  },
  TARGET_VM_STOPPED: {
    category: 'conflict',
    meaning: 'The VM does not run although it should.',
    hint: 'Read the serial log in the details, then retry.',
  },
  TARGET_RECORD_CORRUPT: {
    category: 'corrupt',
    meaning: 'What the target remembers about a VM cannot be read.',
    hint: 'Look at the file that the message names; remove it only if the VM is not needed.',
  },
} as const satisfies CodeTable;
