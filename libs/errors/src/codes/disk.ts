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
  DISK_STALLED: {
    category: 'timeout',
    meaning: 'No byte of a copy moved for the time allowed, although no bandwidth limit held it.',
    hint: 'The message names the side that hangs: check the storage or the network there, then retry.',
  },
  DISK_WORKER_LOST: {
    category: 'unavailable',
    meaning: 'The thread that copied a disk ended without a result.',
    hint: 'Retry: it goes on at the last confirmed offset. If it happens again, look at the memory of the machine and report the cause.',
  },
  DISK_PEER_DENIED: {
    category: 'denied',
    meaning:
      'The other side of a disk session has not proved that it holds the key of the session, or its ticket is used up.',
    hint: 'Start the transfer again, so that both sides get a new ticket; check that nothing between them answers in their place.',
  },
  DISK_PEER_UNREACHABLE: {
    category: 'unavailable',
    meaning:
      'The other side of a disk session cannot be reached, or the connection was cut and did not come back in time.',
    hint: 'Check name, port, firewall and route between the two agents, then retry; let the other side listen if only that way is open.',
  },
  DISK_PEER_ENDED: {
    category: 'unavailable',
    meaning:
      'A disk session has ended: its time ran out without a sign of life, or one of its sides ended it.',
    hint: 'Retry: a new session is opened and the transfer goes on at the last confirmed block.',
  },
  DISK_PEER_PROTOCOL: {
    category: 'internal',
    meaning:
      'The other side of a disk session sent something that the protocol does not allow, or data that does not match its checksum.',
    hint: 'Check that both agents have the same version; report it when it happens again.',
  },
  DISK_RANGE_INVALID: {
    category: 'invalid',
    meaning: 'A block range lies outside the disk or is not aligned.',
    hint: 'Correct the offset or the length that the message names.',
  },
  DISK_FORMAT_LIMIT: {
    category: 'unsupported',
    meaning: 'The disk is larger than the format that is to be written can hold.',
    hint: 'Choose another format: raw and qcow2 have no such limit, vhdx holds 64 TiB.',
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
  DISK_OUTPUT_REFUSED: {
    category: 'denied',
    meaning: 'The server that the disk is sent to refuses these credentials.',
    hint: 'Check the credentials and their rights on the target that the message names.',
  },
  DISK_OUTPUT_REJECTED: {
    category: 'invalid',
    meaning: 'The server that the disk is sent to does not accept the request.',
    hint: 'Read its answer in the details; correct the address or the options of the target.',
  },
  DISK_OUTPUT_UNAVAILABLE: {
    category: 'unavailable',
    meaning: 'The server that the disk is sent to is not reachable, failed or cut the connection.',
    hint: 'Check the server and the network between, then retry.',
  },
  DISK_OUTPUT_TIMEOUT: {
    category: 'timeout',
    meaning: 'The server that the disk is sent to did not take data or answer in time.',
    hint: 'Check the load of the server and the network between, then retry.',
  },
  DISK_OUTPUT_UNTRUSTED: {
    category: 'denied',
    meaning: 'The certificate of the server that the disk is sent to is not trusted.',
    hint: 'Give the authority that signed it, or its SHA-256 fingerprint; the check cannot be switched off.',
  },
  DISK_OUTPUT_MISMATCH: {
    category: 'corrupt',
    meaning: 'What the target holds is not what was sent.',
    hint: 'Retry from the start; when it happens again, look for a proxy or storage that changes data.',
  },
  DISK_STREAM_CORRUPT: {
    category: 'corrupt',
    meaning: 'A stream of extents was cut or changed on its way.',
    hint: 'Send the disk again; what was received is not usable.',
  },
  DISK_OVF_INVALID: {
    category: 'invalid',
    meaning: 'A VM cannot be described as OVF with these facts.',
    hint: 'Correct the fact that the message names.',
  },
  DISK_TARGET_BUSY: {
    category: 'unavailable',
    meaning: 'Another run is writing to the same target.',
    hint: 'Wait for the other run or stop it, then retry.',
  },
  DISK_TARGET_UNSUPPORTED: {
    category: 'unsupported',
    meaning: 'This version cannot write a disk in the wanted format or with the wanted engine.',
    hint: 'Choose another format or engine; the help of the command lists what there is.',
  },
  DISK_VERIFY_MISMATCH: {
    category: 'corrupt',
    meaning: 'A written disk, read back, is not the disk it was made from.',
    hint: 'Do not use the target; check memory and storage of the machine, then write it again from the start.',
  },
  DISK_DELTA_BASE_MISMATCH: {
    category: 'conflict',
    meaning: 'The disk that a delta would be written onto is not the older copy that the delta starts from.',
    hint: 'Name the point in time that the target really holds, or make a full copy.',
  },
} as const satisfies CodeTable;
