import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { coded, errnoOf } from './errors.ts';
import { readJson, replaceJson } from './jsonFile.ts';
import type { KvmConnection } from './connection.ts';
import { diskFileName, diskRecordsFolder, isOwnedName, requireOwnedName } from './naming.ts';

/** Whose a disk is. Written before the disk's file, removed after it: a file without a record is never ours. */
interface DiskRecord {
  readonly jobId: string;
  readonly ownedName: string;
  readonly storage: string;
  readonly diskIndex: number;
}

/** The disks of one connection: files in the storage folders, records in the state folder. */
export interface DiskStore {
  /** Path of the finished disk. @throws {AppError} TARGET_NAME_ILLEGAL */
  pathOf(storage: string, ownedName: string): string | null;
  list(): Promise<readonly DiskRecord[]>;
  record(record: DiskRecord): Promise<void>;
  isFinished(storage: string, ownedName: string): Promise<boolean>;
  /** Tells one partial file from another of the same name, made later; null when there is none. */
  partialIdentity(storage: string, ownedName: string): Promise<string | null>;
  /** Bytes that the disk's files hold on their storage now; 0 when there are none. */
  heldBytes(storage: string, ownedName: string): Promise<number>;
  /** Removes files and record from whichever storage holds them. "Not there" is success. */
  remove(ownedName: string): Promise<void>;
}

const partialSuffix = '.partial';

async function heldBytesOf(path: string): Promise<number | null> {
  try {
    const { blocks } = await stat(path);
    return blocks * 512;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Inode and time of birth: an inode number alone is given again to the next file. */
async function identityOf(path: string): Promise<string | null> {
  try {
    const { ino, birthtimeNs } = await stat(path, { bigint: true });
    return `${ino}:${birthtimeNs}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function parseRecord(value: unknown): DiskRecord | null {
  if (typeof value !== 'object' || value === null) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [jobId, ownedName, storage, diskIndex] = ['jobId', 'ownedName', 'storage', 'diskIndex'].map((field) =>
    fields.get(field),
  );
  const texts = typeof jobId === 'string' && typeof ownedName === 'string' && typeof storage === 'string';
  if (!texts || typeof diskIndex !== 'number' || !isOwnedName(ownedName)) return null;
  return { jobId, ownedName, storage, diskIndex };
}

async function listRecords(folder: string): Promise<readonly DiskRecord[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const owned = names.filter((name) => name.endsWith('.json') && isOwnedName(name.slice(0, -5))).toSorted();
  const records = await Promise.all(
    owned.map(async (name) => parseRecord(await readJson(join(folder, name)))),
  );
  return records.filter((record) => record !== null);
}

/** Opens the store; nothing is made until a disk is recorded. */
export function createDiskStore(connection: KvmConnection): DiskStore {
  const folder = diskRecordsFolder(connection.state_dir);
  const recordPath = (ownedName: string): string => join(folder, `${requireOwnedName(ownedName)}.json`);
  const pathOf = (storage: string, ownedName: string): string | null => {
    const storageFolder = Object.hasOwn(connection.storages, storage)
      ? connection.storages[storage]
      : undefined;
    return storageFolder === undefined ? null : join(storageFolder, diskFileName(ownedName));
  };
  const heldBytes = async (storage: string, ownedName: string, suffix: string): Promise<number | null> => {
    const path = pathOf(storage, ownedName);
    return path === null ? null : coded(`look at disk ${ownedName}`, heldBytesOf(path + suffix));
  };
  return {
    pathOf,
    list: () => coded(`list disks in ${folder}`, listRecords(folder)),
    record: async (record) => {
      const path = recordPath(record.ownedName);
      const write = async (): Promise<void> => {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await replaceJson(path, record);
      };
      await coded(`record disk ${record.ownedName}`, write());
    },
    isFinished: async (storage, ownedName) => (await heldBytes(storage, ownedName, '')) !== null,
    partialIdentity: async (storage, ownedName) => {
      const path = pathOf(storage, ownedName);
      if (path === null) return null;
      return coded(`look at disk ${ownedName}`, identityOf(path + partialSuffix));
    },
    heldBytes: async (storage, ownedName) =>
      ((await heldBytes(storage, ownedName, '')) ?? 0) +
      ((await heldBytes(storage, ownedName, partialSuffix)) ?? 0),
    remove: async (ownedName) => {
      const names = Object.keys(connection.storages).map((storage) => pathOf(storage, ownedName) ?? '');
      const files = names.flatMap((path) => [path + partialSuffix, path]);
      const remove = async (): Promise<void> => {
        for (const path of [...files, recordPath(ownedName)]) await rm(path, { force: true });
      };
      await coded(`remove disk ${ownedName}`, remove());
    },
  };
}
