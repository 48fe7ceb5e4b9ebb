import type { CodeTable } from '../category.ts';

/** Codes of starting, finding and watching QEMU machines (libs/guest, boot). */
export const bootCodes = {
  GUEST_MACHINE_SPEC_INVALID: {
    category: 'invalid',
    meaning: 'The hardware asked for a machine cannot be put together.',
    hint: 'Change the bus, the number of disks or the network model that the message names.',
  },
  GUEST_MACHINE_FIRMWARE_MISSING: {
    category: 'unavailable',
    meaning: 'The UEFI firmware for virtual machines is not installed on this machine.',
    hint: 'Install the package ovmf (edk2-ovmf on other distributions), then retry.',
  },
  GUEST_MACHINE_START_FAILED: {
    category: 'unavailable',
    meaning: 'QEMU refused to start the machine.',
    hint: 'Read what QEMU said in the details: usually a disk in use, too little memory or an unknown device.',
  },
  GUEST_MACHINE_GONE: {
    category: 'missing',
    meaning: 'The machine is not running any more.',
    hint: 'Look at the end of its serial log for the reason; start it again when it is wanted.',
  },
  GUEST_MACHINE_UNRESPONSIVE: {
    category: 'timeout',
    meaning: 'The process of a machine exists but does not answer on its control socket.',
    hint: 'Check the load and the storage of the host; end the machine if it does not recover.',
  },
  GUEST_MACHINE_COMMAND_REFUSED: {
    category: 'internal',
    meaning: 'QEMU answered a control command with an error.',
    hint: 'Read the answer in the message; a version of QEMU older than 6.2 is not supported.',
  },
} as const satisfies CodeTable;
