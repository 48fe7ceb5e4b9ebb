import type { CodeTable } from '../category.ts';

/** Codes of the area `guest`: what is inside the disks, and the edits made to it. */
export const guestCodes = {
  GUEST_FILE_SYSTEM_CORRUPT: {
    category: 'corrupt',
    meaning: 'A file system inside the backup is damaged or contradicts itself.',
    hint: 'Choose another restore point, or restore without guest preparation and repair inside the VM.',
  },
  GUEST_FILE_SYSTEM_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'A file system inside the backup uses a feature that cannot be read here.',
    hint: 'Restore without guest preparation when the guest already has the drivers of the target.',
  },
  GUEST_FILE_TOO_LARGE: {
    category: 'exhausted',
    meaning: 'A file inside the guest is larger than its kind may be.',
    hint: 'Look at the file named in the message; a healthy guest does not have such a file.',
  },
  GUEST_INITRAMFS_UNREADABLE: {
    category: 'corrupt',
    meaning: 'An initramfs image of the guest could not be read.',
    hint: 'Rebuild the initramfs in the source VM and take a new backup, or choose another restore point.',
  },
  GUEST_UNRECOGNISED: {
    category: 'unsupported',
    meaning: 'No operating system that can be prepared was found on the disks.',
    hint: 'Restore without guest preparation when the guest already has the drivers of the target.',
  },
  GUEST_LAYOUT_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The guest lies on a storage layout that cannot be edited offline yet.',
    hint: 'Restore without guest preparation when the guest already has the drivers of the target.',
  },
  GUEST_DRIVER_MISSING: {
    category: 'unsupported',
    meaning: 'A kernel of the guest does not ship a driver that the target needs.',
    hint: 'Install a kernel with the driver in the source VM and take a new backup, or choose another target or disk bus.',
  },
  GUEST_KERNEL_MISSING: {
    category: 'unsupported',
    meaning: 'No installed kernel with an initramfs was found in the guest.',
    hint: 'Restore without guest preparation when the guest boots without an initramfs.',
  },
  GUEST_INITRAMFS_INCOMPLETE: {
    category: 'unsupported',
    meaning: 'An initramfs of the guest lacks drivers of the target; they are added before the restore.',
    hint: 'Nothing to do: the drivers are added to the overlay and read back.',
  },
  GUEST_NIC_NAME_UNSTABLE: {
    category: 'unsupported',
    meaning: 'The name of a network interface would change on the target and take its address with it.',
    hint: 'Nothing to do: the name is bound in the overlay.',
  },
  GUEST_NIC_UNKNOWN: {
    category: 'unsupported',
    meaning: 'It is not known which interface of the guest belongs to which network card of the VM.',
    hint: 'Give the MAC addresses in the VM specification or with --mac.',
  },
  GUEST_DEVICE_NAME_UNSTABLE: {
    category: 'unsupported',
    meaning: 'The guest names a disk by a kernel device name, which differs on the target.',
    hint: 'Nothing to do: the name is replaced by the UUID of the file system.',
  },
  GUEST_DEVICE_NAME_UNRESOLVED: {
    category: 'unsupported',
    meaning: 'The guest names a disk by a kernel device name that cannot be told from its contents.',
    hint: 'Replace the device name by a UUID in the source VM, or repair it after the restore.',
  },
  GUEST_CONSOLE_ABSENT: {
    category: 'unsupported',
    meaning: 'The guest does not use the serial console that the target offers.',
    hint: 'Nothing to do where a boot loader configuration was found: the console is added in the overlay.',
  },
  GUEST_NETWORK_RESET: {
    category: 'unsupported',
    meaning: 'A first-boot agent of the guest would write its network configuration anew on the target.',
    hint: 'Nothing to do: the agent is told in the overlay to leave the network alone.',
  },
  GUEST_FIRMWARE_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The disks are laid out for a firmware that the target hardware does not have.',
    hint: 'Choose a VM generation, instance family or target with the firmware of the source VM, or make the room the finding names.',
  },
  GUEST_FIRMWARE_CONVERTED: {
    category: 'unsupported',
    meaning: 'The disks are laid out for another firmware than the new VM has.',
    hint: 'Nothing to do: GRUB for the other firmware is put on the overlay. It is not signed: leave Secure Boot off.',
  },
  GUEST_ESP_SMALL: {
    category: 'unsupported',
    meaning: 'There is no room for an EFI system partition with FAT32; one with FAT12 or FAT16 is made.',
    hint: 'Rehearse the boot. Where the firmware does not read it, enlarge the boot disk in the source VM.',
  },
  GUEST_BOOT_LOADER_UNAVAILABLE: {
    category: 'missing',
    meaning: 'The machine that prepares the guest has no GRUB for the firmware of the new VM.',
    hint: 'Install the Debian packages grub-pc-bin (BIOS) and grub-efi-amd64-bin (UEFI) there.',
  },
  GUEST_KERNEL_ARGUMENTS_UNFIT: {
    category: 'unsupported',
    meaning:
      'Kernel command lines of the guest lack arguments of the target, or have some that hinder there.',
    hint: 'Nothing to do where a boot loader configuration was found: they are changed in the overlay.',
  },
  GUEST_MODULE_BLOCKED: {
    category: 'unsupported',
    meaning: 'The guest is configured not to load a module that the target needs.',
    hint: 'Nothing to do: the lines are made comments in the overlay.',
  },
  GUEST_DEVICE_CACHE_STALE: {
    category: 'unsupported',
    meaning: 'The guest remembers the disks of its old hardware and may not accept those of the target.',
    hint: 'Nothing to do: the file is set aside in the overlay; the guest writes it anew.',
  },
  GUEST_SWAP_ON_SYSTEM_DISK: {
    category: 'unsupported',
    meaning: 'The guest swaps to its system disk, which the target advises against.',
    hint: 'It works; move the swap to a local disk of the new VM when its speed matters.',
  },
  GUEST_AGENT_FOREIGN: {
    category: 'unsupported',
    meaning: 'An agent of another hypervisor or cloud is installed in the guest.',
    hint: 'Nothing to do: its services are switched off in the overlay; the agent stays installed.',
  },
  GUEST_AGENT_OFF: {
    category: 'unsupported',
    meaning: "The target's own agent is installed in the guest but switched off.",
    hint: 'Nothing to do: it is switched on in the overlay.',
  },
  GUEST_ADDRESS_FROM_PLATFORM: {
    category: 'unsupported',
    meaning: 'The target gives addresses by DHCP, and the guest has static ones.',
    hint: 'Ask the target for the same private address. The old configuration is kept under /etc/ascend/aside.',
  },
  GUEST_DHCP_CLIENT_MISSING: {
    category: 'unsupported',
    meaning: 'The guest must ask for its address by DHCP and has no program for it.',
    hint: 'Install a DHCP client in the source VM and take a new backup, or set the address at the console.',
  },
  GUEST_ADDRESS_MOVED: {
    category: 'unsupported',
    meaning: 'Addresses of the guest are moved to another network, as asked for.',
    hint: 'Nothing to do: they are replaced in the overlay, the host part stays.',
  },
  GUEST_ADDRESS_RULE_UNUSABLE: {
    category: 'invalid',
    meaning: 'A rule that moves addresses to another network cannot be used.',
    hint: 'Give two networks of the same family and size that overlap no other rule.',
  },
  GUEST_RELABEL_NEEDED: {
    category: 'unsupported',
    meaning: 'Files of a guest with SELinux were written without labels.',
    hint: 'Nothing to do: the guest labels its files at the first boot, which takes minutes and one more boot.',
  },
  GUEST_FIRST_BOOT_SCRIPT: {
    category: 'unsupported',
    meaning: "A script of the operator's is to run at the first boot.",
    hint: 'Read /var/log/ascend-first-boot.log in the guest to see what it did.',
  },
  GUEST_EXECUTOR_UNAVAILABLE: {
    category: 'unavailable',
    meaning: 'This machine cannot mount or run a guest in its sandbox.',
    hint: 'Install qemu-system-common, fuse2fs, bubblewrap, e2fsprogs and busybox-static, and allow /dev/fuse; for the appliance libguestfs-tools and a kernel in /boot.',
  },
  GUEST_EXECUTOR_CHOSEN: {
    category: 'unsupported',
    meaning: 'Tells who mounts and edits the guest (this machine or the appliance) and why.',
    hint: 'Nothing to do. Another choice is a matter of the policy: executor auto, host or appliance.',
  },
  GUEST_KEY_UNUSABLE: {
    category: 'invalid',
    meaning:
      'A key file for an encrypted volume cannot be used: not there, readable by others, or not one line.',
    hint: 'Make it a file of one line that its owner alone may read (chmod 600).',
  },
  GUEST_TOOL_STALLED: {
    category: 'timeout',
    meaning: "A program of the guest's own made no progress in the sandbox.",
    hint: 'Retry; if it happens again, look at the initramfs configuration of the guest.',
  },
  GUEST_EDIT_FAILED: {
    category: 'internal',
    meaning: 'An edit of the guest could not be made; the overlay is dropped and nothing was changed.',
    hint: "Read the output of the guest's tool in the details.",
  },
  GUEST_VERIFY_FAILED: {
    category: 'corrupt',
    meaning: 'Reading back the prepared guest did not show what the edits should have left.',
    hint: 'Retry; if it happens again, keep the job report: it lists what was expected and found.',
  },
  GUEST_HIVE_CORRUPT: {
    category: 'corrupt',
    meaning: 'A registry hive of the guest is damaged or contradicts itself.',
    hint: 'Choose another restore point, or restore without guest preparation and repair inside the VM.',
  },
  GUEST_HIVE_DIRTY: {
    category: 'unsupported',
    meaning: 'A registry hive was in use when it was backed up; changes of it lie in its transaction logs.',
    hint: 'Nothing to do where the logs fit: they are put in place first. Else choose another restore point.',
  },
  GUEST_ENCRYPTED: {
    category: 'unsupported',
    meaning: 'The volume with the operating system is encrypted and no key was given.',
    hint: 'LUKS: give the key (--key UUID=FILE, or UUID.key in the key folder of the agent). BitLocker: suspend the encryption in the source VM and take a new backup.',
  },
  GUEST_KEY_REJECTED: {
    category: 'invalid',
    meaning: 'A key that was given for an encrypted volume of the guest does not open it.',
    hint: 'Check which volume the key is for (its LUKS UUID is in the message or in the analysis) and give the right passphrase.',
  },
  GUEST_HIBERNATED: {
    category: 'unsupported',
    meaning:
      'The guest was hibernated or shut down with fast start-up; its file system is not as the files show.',
    hint: 'Shut the source VM down fully (shutdown /s /t 0, fast start-up off) and take a new backup.',
  },
  GUEST_FILE_SYSTEM_DIRTY: {
    category: 'unsupported',
    meaning:
      'The file system of the guest was not closed: it waits for a check or for its own log to be replayed.',
    hint: 'Take a backup of the VM when it is shut down, or allow the edit of a file system that was in use.',
  },
  GUEST_BOOT_DRIVER_DISABLED: {
    category: 'unsupported',
    meaning: 'A driver that the target boots with does not start at boot in the guest.',
    hint: 'Nothing to do: it is set to start at boot in every control set.',
  },
  GUEST_DRIVER_PACKAGE_MISSING: {
    category: 'unsupported',
    meaning:
      'Windows has no driver for a device of the target, and no configured driver package has one for this version.',
    hint: 'Configure a driver folder or a virtio-win image that has drivers for this Windows and its architecture.',
  },
  GUEST_DRIVER_PACKAGE_INVALID: {
    category: 'invalid',
    meaning: 'A driver package of the configured folder cannot be used.',
    hint: 'Unpack the driver package anew; all files its INF names must be there.',
  },
  GUEST_SOURCE_TOOLS_PRESENT: {
    category: 'unsupported',
    meaning: 'Services of the source platform would run on the target.',
    hint: 'Nothing to do: they are disabled on the overlay.',
  },
  GUEST_AGENT_PACKAGE_MISSING: {
    category: 'unsupported',
    meaning: 'The agent of the target is not in the guest and no package of it is configured.',
    hint: 'Install the agent after the restore, or configure a folder with its package.',
  },
  GUEST_AGENT_PACKAGE_STAGED: {
    category: 'unsupported',
    meaning:
      'The agent of the target is not in the guest; its package was put there for the first boot to install.',
    hint: 'Read the log of the first boot in the guest when the agent does not come up.',
  },
  GUEST_AGENT_PACKAGE_INVALID: {
    category: 'invalid',
    meaning: "The configured folder of agents' packages cannot be read.",
    hint: 'Name a folder with package files that this machine can read.',
  },
  GUEST_EFI_FALLBACK_ABSENT: {
    category: 'unsupported',
    meaning:
      'The EFI system partition has no fallback boot loader, which firmware without stored boot entries needs.',
    hint: 'Nothing to do: the boot loader of the guest is copied there.',
  },
} as const satisfies CodeTable;
