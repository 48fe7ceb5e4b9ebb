import { platformIds } from '@ascend/domain';
import { customType } from 'drizzle-orm/mysql-core';

/** Platforms a VM can be restored to. */
export const targetPlatforms = platformIds;

/** Platforms a backup may come from. */
export const sourcePlatforms = [...platformIds, 'unknown'] as const;

/** Where a catalogue row came from: written by the backup product itself, copied from its database, found by a scan, added by hand. */
export const provenances = ['database', 'sync', 'scan', 'added'] as const;

/** The states that the restore tables' `status` columns share. */
export const restoreStatuses = [
  'pending',
  'converting',
  'uploading',
  'creating',
  'completed',
  'failed',
  'cancelled',
  'rolled_back',
  'paused',
  'awaiting_approval',
] as const;

/** JSON of any shape. The driver hands it over as text (`jsonStrings`), so a stored string stays a string. */
export const json = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'json',
  toDriver: (value) => JSON.stringify(value ?? null),
  fromDriver: (text) => JSON.parse(text),
});

/** Bytes up to 16 MiB. */
export const mediumBlob = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'mediumblob' });
