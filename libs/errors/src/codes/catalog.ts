import type { CodeTable } from '../category.ts';

/** Codes of the area `catalog`. */
export const catalogCodes = {
  CATALOG_BACKUP_UNKNOWN: {
    category: 'missing',
    meaning: 'The catalogue has no backup with this id.',
    hint: 'List the backups of the VM, or scan the repository again.',
  },
  CATALOG_VM_UNKNOWN: {
    category: 'missing',
    meaning: 'The catalogue has no VM of this name (in this repository).',
    hint: 'Check the spelling (case counts), or scan the repository that holds its backups.',
  },
  CATALOG_VM_AMBIGUOUS: {
    category: 'conflict',
    meaning: 'Several VMs have this name in different repositories.',
    hint: 'Add repository_id or backup_id to say which one is meant.',
  },
  CATALOG_DISK_UNKNOWN: {
    category: 'missing',
    meaning: 'The backup or VM has no disk with this index.',
    hint: 'List the disks of the backup and use one of their disk_index values.',
  },
  CATALOG_BACKUP_NOT_COMPLETED: {
    category: 'conflict',
    meaning: 'The backup did not complete, so it cannot be restored.',
    hint: 'Choose a backup with status completed.',
  },
  CATALOG_BACKUP_DIFFERENTIAL: {
    category: 'unsupported',
    meaning: 'Differential backups are listed but cannot be restored.',
    hint: 'Choose a full or incremental backup of the same VM.',
  },
  CATALOG_DISK_NOT_COMPLETED: {
    category: 'conflict',
    meaning: 'A disk of the backup did not complete, so the VM would be incomplete.',
    hint: 'Choose a backup all of whose disks are completed.',
  },
  CATALOG_DISKS_MISSING: {
    category: 'corrupt',
    meaning: 'The catalogue lists no disks for this backup, or a disk without a file.',
    hint: 'Scan the repository, or register the disks with catalog add.',
  },
  CATALOG_DISK_GAP: {
    category: 'corrupt',
    meaning: 'A disk between two others is missing from the backup.',
    hint: 'Scan the repository to find the missing disk, or choose another backup.',
  },
  CATALOG_REPOSITORY_UNKNOWN: {
    category: 'missing',
    meaning: 'There is no repository with this id, or the backup names none.',
    hint: 'Add the repository with its root folder on an agent.',
  },
  CATALOG_REPOSITORY_IN_USE: {
    category: 'conflict',
    meaning: 'The repository still has VMs in the catalogue.',
    hint: 'Remove their backups from the catalogue first.',
  },
  CATALOG_SOURCE_UNREADABLE: {
    category: 'unsupported',
    meaning: 'The database to synchronise from has no catalogue tables that can be read.',
    hint: 'Check the URL and that the account may SELECT from the four catalogue tables.',
  },
  CATALOG_SOURCE_EMPTY: {
    category: 'conflict',
    meaning: 'The database to synchronise from lists nothing, but an earlier synchronisation found backups.',
    hint: 'Check that the URL names the right database; nothing was removed here.',
  },
  CATALOG_SCAN_EMPTY: {
    category: 'conflict',
    meaning: 'The scan found nothing, but the catalogue knows backups of this repository.',
    hint: 'Check that the repository is mounted at its root; nothing was removed.',
  },
  CATALOG_POINT_INCOMPLETE: {
    category: 'corrupt',
    meaning:
      'A disk of a restore point cannot be read, so the point is left out of the catalogue as a whole.',
    hint: 'Repair or fetch the file that the message names and scan again, or add single disks with catalog add.',
  },
  CATALOG_POINT_AMBIGUOUS: {
    category: 'conflict',
    meaning: 'Two files claim to be the same disk of the same restore point.',
    hint: 'Move one of the files out of the repository and scan again.',
  },
  CATALOG_SPEC_INVALID: {
    category: 'invalid',
    meaning:
      'A VM specification file cannot be read, is larger than 1 MiB (8 MiB in a foreign format), or does not have the expected form.',
    hint: 'Correct the field that the message names and scan again; until then the VM is known without it.',
  },
  CATALOG_SPEC_AMBIGUOUS: {
    category: 'conflict',
    meaning: 'A VM specification file lies beside several VMs or beside another specification.',
    hint: 'Name it after the VM it describes, as in `web.vmspec.json` or `web.ovf` for the VM web, and scan again.',
  },
  CATALOG_SCAN_LIMIT: {
    category: 'exhausted',
    meaning: 'A repository holds more files, deeper folders or larger VM specifications than one scan reads.',
    hint: 'Register a folder further down as a repository of its own.',
  },
} as const satisfies CodeTable;
