import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@ascend/errors';
import { coded, errnoOf } from './errors.ts';
import { readJson, replaceJson, syncFolder, writeJsonDurably } from './jsonFile.ts';
import { isVmName, vmFolder, vmsFolder } from './naming.ts';
import { parseVmRecord, type VmRecord } from './vmRecord.ts';

const recordFile = 'vm.json';

/** The VM definitions below one state folder. Every change is one rename: a crash leaves the old or the new state. */
export interface VmStore {
  /** Names that are held, readable record or not. */
  names(): Promise<readonly string[]>;
  /** Every VM with a readable record, in the order of their names. One broken record hides only itself. */
  list(): Promise<readonly VmRecord[]>;
  /** @throws {AppError} TARGET_RECORD_CORRUPT */
  find(name: string): Promise<VmRecord | null>;
  /** Claims the name. False when the name is held already; nothing was changed then. */
  create(record: VmRecord): Promise<boolean>;
  replace(record: VmRecord): Promise<void>;
  /** Removes definition and machine folder. "Not there" is success. Danger: the machine must not run any more. */
  remove(name: string): Promise<void>;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    // Names with a dot in front are half-made or half-removed: no VM name.
    return (await readdir(folder)).filter(isVmName).toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readRecord(stateDir: string, name: string): Promise<VmRecord | null> {
  const path = join(vmFolder(stateDir, name), recordFile);
  const value = await readJson(path);
  return value === undefined ? null : parseVmRecord(value, path);
}

async function readAll(stateDir: string): Promise<readonly VmRecord[]> {
  const names = await namesIn(vmsFolder(stateDir));
  const records = await Promise.all(
    names.map(async (name) => {
      try {
        return await readRecord(stateDir, name);
      } catch (error) {
        if (hasCode(error, 'TARGET_RECORD_CORRUPT')) return null;
        throw error;
      }
    }),
  );
  return records.filter((record) => record !== null);
}

async function claim(stateDir: string, record: VmRecord): Promise<boolean> {
  const folder = vmsFolder(stateDir);
  const target = vmFolder(stateDir, record.name);
  const prepared = join(folder, `.new-${randomBytes(8).toString('hex')}`);
  await mkdir(prepared, { recursive: true, mode: 0o700 });
  try {
    await writeJsonDurably(join(prepared, recordFile), record);
    // rename(2) onto a folder that is not empty fails: the name is claimed by exactly one caller.
    await rename(prepared, target);
  } catch (error) {
    await rm(prepared, { recursive: true, force: true });
    if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
  await syncFolder(folder);
  return true;
}

async function discard(stateDir: string, name: string): Promise<void> {
  const folder = vmsFolder(stateDir);
  const gone = join(folder, `.gone-${randomBytes(8).toString('hex')}`);
  try {
    await rename(vmFolder(stateDir, name), gone);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  await syncFolder(folder);
  await sweep(folder);
}

/** Finishes every removal, also those that a crash cut short. */
async function sweep(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => name.startsWith('.gone-'));
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Opens the store; the folder is made with the first VM. */
export function createVmStore(stateDir: string): VmStore {
  return {
    names: () => coded(`list VMs in ${stateDir}`, namesIn(vmsFolder(stateDir))),
    list: () => coded(`list VMs in ${stateDir}`, readAll(stateDir)),
    find: (name) => coded(`find VM ${name}`, readRecord(stateDir, name)),
    create: (record) => coded(`create VM ${record.name}`, claim(stateDir, record)),
    replace: (record) =>
      coded(
        `change VM ${record.name}`,
        replaceJson(join(vmFolder(stateDir, record.name), recordFile), record),
      ),
    remove: (name) => coded(`remove VM ${name}`, discard(stateDir, name)),
  };
}
