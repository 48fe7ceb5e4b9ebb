import type { CodeTable } from '../category.ts';

/** Codes of the area `disk`: backup images, their chains, the processes that serve them, and file targets. */
export const diskCodes = {
  DISK_FILE_MISSING: {
    category: 'missing',
    meaning: 'An image file of the backup is not in the repository.',
    hint: 'Check that the repository is mounted and that the backup was not removed by retention.',
  },
  DISK_FILE_UNREADABLE: {
    category: 'unavailable',
    meaning: 'A file could not be opened or read.',
    hint: 'Check the rights of the agent on the file and the health of the storage below it, then retry.',
  },
  DISK_FILE_NOT_REGULAR: {
    category: 'invalid',
    meaning: 'An image path names a folder, device, pipe or socket instead of a file.',
    hint: 'Name an ordinary image file inside the repository.',
  },
  DISK_PATH_OUTSIDE_REPOSITORY: {
    category: 'denied',
    meaning: 'A path of a backup leads outside the repository folder.',
    hint: 'Move the file into the repository, or register its folder as a repository of its own.',
  },
  DISK_BACKING_MISSING: {
    category: 'missing',
    meaning: 'A file of the chain below the chosen point is not in the repository.',
    hint: 'Bring the backing file back into the repository; without it this point cannot be restored.',
  },
  DISK_BACKING_PROTOCOL: {
    category: 'denied',
    meaning: 'An image names its backing file by a protocol or JSON description instead of a file name.',
    hint: 'Rebase the image onto a plain file name inside the repository (qemu-img rebase -u) on a copy.',
  },
  DISK_CHAIN_LOOP: {
    category: 'corrupt',
    meaning: 'The backing files of a chain lead back to one of its own files.',
    hint: 'The chain is damaged: choose another restore point or repair the backing names on a copy.',
  },
  DISK_CHAIN_TOO_LONG: {
    category: 'unsupported',
    meaning: 'A chain has more files than are opened at once.',
    hint: 'Consolidate the chain in the backup product, then retry.',
  },
  DISK_FORMAT_MISMATCH: {
    category: 'corrupt',
    meaning: 'The file does not have the format that was recorded for it.',
    hint: 'Check the recorded format of this disk; the file may be damaged at its start.',
  },
  DISK_FORMAT_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'The image uses a format or a variant of it that cannot be read here.',
    hint: 'Convert a copy of the image to QCOW2 without the feature that the message names.',
  },
  DISK_HEADER_INVALID: {
    category: 'corrupt',
    meaning: 'A number in the header of an image is impossible.',
    hint: 'The image is damaged: choose another restore point.',
  },
  DISK_IMAGE_TRUNCATED: {
    category: 'corrupt',
    meaning: 'An image file is shorter than its own tables say.',
    hint: 'The file was cut, often by an aborted copy: fetch it again or choose another restore point.',
  },
  DISK_IMAGE_CORRUPT: {
    category: 'corrupt',
    meaning: 'The check of an image found damaged metadata, or the image is marked corrupt.',
    hint: 'Choose another restore point, or repair a copy with qemu-img check -r all.',
  },
  DISK_IMAGE_DIRTY: {
    category: 'corrupt',
    meaning: 'An image was not closed properly and needs a repair that would write to the backup.',
    hint: 'Open and close a copy of the image with its own product, then restore from the copy.',
  },
  DISK_IMAGE_ENCRYPTED: {
    category: 'unsupported',
    meaning: 'An image of the chain is encrypted.',
    hint: 'Decrypt a copy of the image first.',
  },
  DISK_EXTERNAL_DATA_FILE: {
    category: 'unsupported',
    meaning: 'A QCOW2 image keeps its data in another file.',
    hint: 'Convert a copy to a QCOW2 image that holds its own data.',
  },
  DISK_SOURCE_BUSY: {
    category: 'unavailable',
    meaning: 'Another program is writing to an image of the chain.',
    hint: 'Wait until the backup run that holds the file has ended, then retry.',
  },
  DISK_SOURCE_CHANGED: {
    category: 'conflict',
    meaning: 'A file of the chain is not the one that was analysed.',
    hint: 'Make a new plan; a backup run or retention has changed the chain in between.',
  },
  DISK_OPEN_FAILED: {
    category: 'corrupt',
    meaning: 'An image could not be opened for reading.',
    hint: 'Read the tool output in the details; the image may be damaged.',
  },
  DISK_SERVER_FAILED: {
    category: 'unavailable',
    meaning: 'The process that serves an image ended or did not become ready.',
    hint: 'Read the tail of its output in the details; retry when the machine has memory and space.',
  },
  DISK_IO_FAILED: {
    category: 'unavailable',
    meaning: 'Reading or writing a block failed.',
    hint: 'Check the storage below the file that the message names, then retry.',
  },
  DISK_SPACE_EXHAUSTED: {
    category: 'exhausted',
    meaning: 'The storage that is written to is full.',
    hint: 'Free space on the storage that the message names, then retry.',
  },
  DISK_NBD_DISCONNECTED: {
    category: 'unavailable',
    meaning: 'The connection to the process that serves an image was cut.',
    hint: 'Retry; if it happens again, look for the end of qemu-nbd in the log of the machine.',
  },
  DISK_NBD_PROTOCOL: {
    category: 'internal',
    meaning: 'The block server answered something that the protocol does not allow.',
    hint: 'Report the versions of qemu and of this program.',
  },
  DISK_NBD_TIMEOUT: {
    category: 'timeout',
    meaning: 'The block server did not answer in time.',
    hint: 'Check the load and the storage of the machine, then retry.',
  },
  DISK_RANGE_INVALID: {
    category: 'invalid',
    meaning: 'A block range lies outside the disk or is not aligned.',
    hint: 'Correct the offset or the length that the message names.',
  },
  DISK_TARGET_TOO_SMALL: {
    category: 'invalid',
    meaning: 'The target disk is smaller than the disk to restore.',
    hint: 'Plan a target disk of at least the size of the source.',
  },
  DISK_TARGET_EXISTS: {
    category: 'conflict',
    meaning: 'A file with the name of the target is there and is not what this restore would have made.',
    hint: 'Remove or rename the file, or choose another name.',
  },
} as const satisfies CodeTable;
