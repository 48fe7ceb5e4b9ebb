import { isAbsolute, normalize } from 'node:path';
import { AppError } from '@ascend/errors';
import type { Connection } from '@ascend/connector';

/** A checked connection: folders for disks by storage name, the networks offered, and the folder for VM state. */
export interface KvmConnection extends Connection {
  readonly storages: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  readonly state_dir: string;
}

/** Networks that this platform can make: QEMU's user-mode network, cut off from the outside. */
const knownNetworks: readonly string[] = ['user'];

const namePattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const fields = new Set(['storages', 'networks', 'state_dir']);
// Linux allows 4096 bytes; names of VMs, disks and their files follow the folder.
const maxFolderLength = 1024;

function invalid(problem: string): AppError {
  return new AppError({ code: 'TARGET_CONNECTION_INVALID', message: `parse connection: ${problem}` });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseFolder(value: unknown, field: string): string {
  if (typeof value !== 'string' || !isAbsolute(value) || value.includes('\0')) {
    throw invalid(`${field} must be an absolute path`);
  }
  const path = normalize(value).replace(/(.)\/$/, '$1');
  if (path.length > maxFolderLength) {
    throw invalid(`${field} has ${path.length} characters, ${maxFolderLength} are allowed`);
  }
  if (path === '/') throw invalid(`${field} must not be the root folder`);
  return path;
}

function parseNetworks(value: unknown): readonly string[] {
  if (value === undefined) return knownNetworks;
  if (!Array.isArray(value) || value.length === 0) throw invalid('networks must be a list that is not empty');
  return value.map((network: unknown) => {
    if (typeof network === 'string' && knownNetworks.includes(network)) return network;
    throw invalid(`networks may name ${knownNetworks.join(', ')}`);
  });
}

/**
 * Checks the form of a connection; no I/O. Networks left out mean all that the platform can make.
 *
 * @throws {AppError} TARGET_CONNECTION_INVALID - unknown field, no storage, a path that is not absolute
 */
export function parseKvmConnection(input: unknown): KvmConnection {
  if (!isRecord(input)) throw invalid('it must be an object with storages and state_dir');
  const unknown = Object.keys(input).find((field) => !fields.has(field));
  if (unknown !== undefined) throw invalid(`${JSON.stringify(unknown.slice(0, 64))} is not a known field`);
  const given = input['storages'];
  if (!isRecord(given) || Object.keys(given).length === 0) {
    throw invalid('storages must name at least one folder');
  }
  const storages = Object.entries(given).map(([name, path]): [string, string] => {
    if (!namePattern.test(name)) {
      throw invalid(`storage name ${JSON.stringify(name.slice(0, 64))} must match ${namePattern.source}`);
    }
    return [name, parseFolder(path, `storages.${name}`)];
  });
  return {
    storages: Object.fromEntries(storages),
    networks: parseNetworks(input['networks']),
    state_dir: parseFolder(input['state_dir'], 'state_dir'),
  };
}
