import type { CodeTable } from '../category.ts';

/** Codes of the area `plan`: findings of the planner, and refusals to use a plan. */
export const planCodes = {
  PLAN_BLOCKED: {
    category: 'conflict',
    meaning: 'The plan holds at least one finding that forbids the start.',
    hint: 'Remove the obstacles that the blocked findings name, then plan again.',
  },
  PLAN_BACKUP_INCOMPLETE: {
    category: 'invalid',
    meaning: 'The backup itself did not end with status completed.',
    hint: 'Choose another restore point of this VM.',
  },
  PLAN_BACKUP_DIFFERENTIAL: {
    category: 'unsupported',
    meaning: 'The backup is a differential, which cannot be restored.',
    hint: 'Choose a full or incremental restore point of this VM.',
  },
  PLAN_BACKUP_EMPTY: {
    category: 'invalid',
    meaning: 'The backup has no disks.',
    hint: 'Choose another restore point, or scan the repository again.',
  },
  PLAN_DISK_GAP: {
    category: 'corrupt',
    meaning: 'The disk indexes of the backup are not 0, 1, 2 … without gap or repetition.',
    hint: 'Choose another restore point: a disk of this one is not in the catalogue.',
  },
  PLAN_DISK_INCOMPLETE: {
    category: 'invalid',
    meaning: 'One disk of the backup did not end with status completed.',
    hint: 'Choose another restore point, or exclude the disk when the VM can do without it.',
  },
  PLAN_DISK_UNKNOWN: {
    category: 'invalid',
    meaning: 'The request names a disk index that the backup does not have.',
    hint: 'List the disks of the backup and correct the index.',
  },
  PLAN_DISK_EXCLUDED: {
    category: 'invalid',
    meaning: 'A disk is left out on request; mounts of it inside the guest may stop the boot.',
    hint: 'Restore the disk too, or make sure that the guest mounts it with nofail.',
  },
  PLAN_BOOT_DISK_EXCLUDED: {
    category: 'invalid',
    meaning: 'The disk the VM boots from, or that holds its root file system, is left out.',
    hint: 'Take the disk out of the list of excluded disks.',
  },
  PLAN_FACTS_MISSING: {
    category: 'missing',
    meaning: 'The analysis of the restore point says nothing about one of its disks.',
    hint: 'Analyse the restore point again.',
  },
  PLAN_DISK_ROUNDED: {
    category: 'invalid',
    meaning: 'A disk grows to the next size the target can make.',
    hint: 'Nothing has to be done: the guest sees unused space at the end of the disk.',
  },
  PLAN_DISK_TOO_LARGE: {
    category: 'unsupported',
    meaning: 'A disk is larger than the target platform allows.',
    hint: 'Choose another target, or exclude the disk.',
  },
  PLAN_DISKS_TOO_MANY: {
    category: 'unsupported',
    meaning: 'The VM has more disks than the target platform allows.',
    hint: 'Choose another target, or exclude disks.',
  },
  PLAN_STORAGE_UNKNOWN: {
    category: 'invalid',
    meaning: 'The target has no storage of the requested name, or none at all.',
    hint: 'Choose one of the storages that the inventory of the target lists.',
  },
  PLAN_STORAGE_FULL: {
    category: 'exhausted',
    meaning: 'The storage on the target cannot hold the data of the restore.',
    hint: 'Free space on the storage, choose another one, or wait for the restores that reserve it.',
  },
  PLAN_STORAGE_OVERCOMMITTED: {
    category: 'exhausted',
    meaning: 'The data fits, but the disks could grow beyond the free space of the storage.',
    hint: 'Watch the free space after the restore, or choose a larger storage.',
  },
  PLAN_CPU_EXCEEDS_TARGET: {
    category: 'exhausted',
    meaning: 'The VM has more virtual CPUs than the target has processors.',
    hint: 'Give a smaller CPU count in the policy, or choose another target.',
  },
  PLAN_MEMORY_EXCEEDS_TARGET: {
    category: 'exhausted',
    meaning: 'The VM needs more memory than the target has.',
    hint: 'Give a smaller memory size in the policy, or choose another target.',
  },
  PLAN_SPEC_MISSING: {
    category: 'missing',
    meaning: 'Nothing tells how many CPUs and how much memory the VM had; defaults are used.',
    hint: 'Give a VM specification, or CPU count and memory in the policy.',
  },
  PLAN_FIRMWARE_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The target platform does not offer the firmware the guest boots with.',
    hint: 'Choose a target that offers this firmware.',
  },
  PLAN_SECURE_BOOT_OFF: {
    category: 'unsupported',
    meaning: 'The VM had Secure Boot, and the new one cannot have it on this target.',
    hint: 'Choose a target with UEFI and Secure Boot where it is required; else nothing: the guest boots without it.',
  },
  PLAN_TPM_LOST: {
    category: 'unsupported',
    meaning: 'The VM had a TPM, whose contents are in no backup of disks.',
    hint: 'Have the recovery keys of encrypted volumes at hand: what was sealed to the old TPM does not open by itself.',
  },
  PLAN_ARCHITECTURE_UNSUPPORTED: {
    category: 'unsupported',
    meaning: "The target's processors do not run the guest.",
    hint: 'Choose a target with processors of the architecture of the guest.',
  },
  PLAN_DEVICES_LEFT_OUT: {
    category: 'unsupported',
    meaning: 'The VM had devices beside disks and network interfaces that the new one does not get.',
    hint: 'Attach devices of the target after the restore where the VM needs them, e.g. a GPU.',
  },
  PLAN_FIRMWARE_CONVERTED: {
    category: 'unsupported',
    meaning:
      'The target platform does not offer the firmware the guest boots with; the guest is converted to the other one.',
    hint: 'Nothing to do: a boot loader is put on the overlay when the guest is prepared. Leave Secure Boot off.',
  },
  PLAN_FIRMWARE_CONFLICT: {
    category: 'conflict',
    meaning: 'The VM specification names another firmware than the disks are made for.',
    hint: 'Correct the firmware in the VM specification if the VM does not boot.',
  },
  PLAN_FIRMWARE_GUESSED: {
    category: 'missing',
    meaning: 'Neither specification nor disks tell the firmware; BIOS is assumed.',
    hint: 'Give a VM specification with the firmware if the VM does not boot.',
  },
  PLAN_NAME_ILLEGAL: {
    category: 'invalid',
    meaning: 'The target platform does not allow the name of the new VM.',
    hint: 'Give a name that the platform allows.',
  },
  PLAN_NAME_ADJUSTED: {
    category: 'invalid',
    meaning: 'The name of the backed up VM is not allowed on the target; a similar one is used.',
    hint: 'Give a name in the policy if another one is wanted.',
  },
  PLAN_NAME_TAKEN: {
    category: 'conflict',
    meaning: 'A VM of this name exists on the target already.',
    hint: 'Give another name for the new VM.',
  },
  PLAN_NETWORK_UNKNOWN: {
    category: 'invalid',
    meaning: 'The target has no network of the requested name, or none at all.',
    hint: 'Map the network to one that the inventory of the target lists.',
  },
  PLAN_NETWORK_GUESSED: {
    category: 'missing',
    meaning: 'Nothing maps the network of an interface; the best guess is used.',
    hint: 'Map the network in the policy if the guess is wrong.',
  },
  PLAN_NIC_MISSING: {
    category: 'missing',
    meaning: 'Nothing tells which network interfaces the VM had; it gets none.',
    hint: 'Give a VM specification that lists the interfaces.',
  },
  PLAN_NIC_MAC_UNKNOWN: {
    category: 'missing',
    meaning: 'Nothing tells the MAC address of an interface, so a static address may not be kept.',
    hint: 'Give the MAC address in the VM specification or in the policy.',
  },
  PLAN_NIC_MAC_DUPLICATE: {
    category: 'invalid',
    meaning: 'Two interfaces of the VM would have the same MAC address.',
    hint: 'Correct the MAC addresses in the VM specification or in the policy.',
  },
  PLAN_NIC_MATCH_GUESSED: {
    category: 'missing',
    meaning: 'Interfaces of the guest and of the VM specification were paired by order only.',
    hint: 'Check the table of interfaces in the plan; give MAC addresses if it is wrong.',
  },
  PLAN_NICS_TOO_MANY: {
    category: 'unsupported',
    meaning: 'The VM has more network interfaces than the target platform allows.',
    hint: 'Remove interfaces from the VM specification, or choose another target.',
  },
  PLAN_GUEST_UNKNOWN: {
    category: 'unsupported',
    meaning: 'No operating system that can be prepared was found on the disks.',
    hint: 'Restore without guest preparation when the guest already has the drivers of the target.',
  },
  PLAN_GUEST_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The operating system was recognised, but cannot be prepared for the target.',
    hint: 'Restore without guest preparation when the guest already has the drivers of the target.',
  },
  PLAN_GUEST_REMARK: {
    category: 'unsupported',
    meaning: 'The analysis of the guest saw something that may hinder preparation or boot.',
    hint: 'Read the remark; choose another restore point if it names damage.',
  },
  PLAN_GUEST_RAW: {
    category: 'unsupported',
    meaning: 'The guest is not prepared and lacks drivers of the target, so it will hardly boot.',
    hint: 'Allow guest preparation, or attach the disks to a bus that the guest knows.',
  },
  PLAN_DRIVER_INJECTED: {
    category: 'unsupported',
    meaning: 'A kernel lacks drivers of the target in its boot image; they are injected.',
    hint: 'Nothing has to be done.',
  },
  PLAN_DRIVER_MISSING: {
    category: 'unsupported',
    meaning: 'A kernel of the guest does not ship a driver that the target needs.',
    hint: 'Install a kernel with this driver before the backup, or choose another target.',
  },
  PLAN_DEVICE_NAME_REPLACED: {
    category: 'unsupported',
    meaning: 'A configuration file of the guest uses a kernel device name that differs on the target.',
    hint: 'Nothing has to be done: it is replaced by the UUID of the file system.',
  },
  PLAN_DEVICE_NAME_UNKNOWN: {
    category: 'unsupported',
    meaning: 'A configuration file of the guest uses a device name that cannot be translated.',
    hint: 'Replace the name by a UUID in the guest before the backup, or check the file after the restore.',
  },
  PLAN_AGENT_MISSING: {
    category: 'missing',
    meaning: 'No enrolled agent can do a part of the work.',
    hint: 'Install and enrol an agent where the message says.',
  },
  PLAN_AGENT_OFFLINE: {
    category: 'unavailable',
    meaning: 'The agent that would do the work is offline.',
    hint: 'Start the agent, or attach the repository and the target to another one.',
  },
  PLAN_AGENT_INCAPABLE: {
    category: 'unsupported',
    meaning: 'The agent lacks programs or kernel features that the work needs.',
    hint: 'Install on the agent what the message names.',
  },
  PLAN_ROUTE_MISSING: {
    category: 'unavailable',
    meaning: 'The agent that reads the repository is not the one that reaches the target.',
    hint: 'Attach the repository to an agent that reaches the target, or allow the target to the agent that reads it.',
  },
  PLAN_SCRATCH_FULL: {
    category: 'exhausted',
    meaning: 'The scratch space of the agent cannot hold the overlays.',
    hint: 'Free space in the scratch folder of the agent.',
  },
  PLAN_IMPORT_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The target imports whole VMs in one call, which this version cannot do.',
    hint: 'Choose another target.',
  },
  PLAN_BOOT_TEST_IMPOSSIBLE: {
    category: 'unsupported',
    meaning: 'The boot cannot be rehearsed before the transfer; the step is left out.',
    hint: 'Read the reason in the message; the start on the target still has to be proven.',
  },
  PLAN_BOOT_SLOW: {
    category: 'unavailable',
    meaning: 'The guest boots in software emulation, several times slower than on hardware.',
    hint: 'Enable hardware virtualisation on the machine, or allow a longer boot time.',
  },
  PLAN_TARGET_CANNOT_RUN: {
    category: 'unavailable',
    meaning: 'The target can store the VM, but has nothing to run it with.',
    hint: 'Repair the hypervisor of the target, or restore the VM powered off.',
  },
  PLAN_EVIDENCE_NONE: {
    category: 'invalid',
    meaning: 'The VM is started, but the policy asks for no evidence that it boots.',
    hint: 'Name the least evidence in the policy to have the boot proven.',
  },
} as const satisfies CodeTable;
