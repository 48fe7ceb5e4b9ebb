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
  GUEST_EXECUTOR_UNAVAILABLE: {
    category: 'unavailable',
    meaning: 'This machine cannot mount or run a guest in its sandbox.',
    hint: 'Install qemu-system-common, fuse2fs, bubblewrap, e2fsprogs and busybox-static, and allow /dev/fuse.',
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
} as const satisfies CodeTable;
