import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '@ascend/runtime';
import { stateFiles, type MachineSpec } from './machineSpec.ts';

/** What must be known about a running machine to watch it, kept in its folder for whoever adopts it. JSON. */
export interface MachineFacts {
  readonly name: string;
  readonly acceleration: 'kvm' | 'tcg';
  readonly nics: readonly { readonly mac: string; readonly addresses: readonly string[] }[];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isNic(value: unknown): value is MachineFacts['nics'][number] {
  return isRecord(value) && typeof value['mac'] === 'string' && isTextList(value['addresses']);
}

function isFacts(value: unknown): value is MachineFacts {
  if (!isRecord(value) || typeof value['name'] !== 'string') return false;
  const nics: unknown = value['nics'];
  const known = value['acceleration'] === 'kvm' || value['acceleration'] === 'tcg';
  return known && Array.isArray(nics) && nics.every(isNic);
}

/** Writes the facts of a machine to be into its folder, atomically. */
export async function writeMachineFacts(spec: MachineSpec): Promise<MachineFacts> {
  const { name, acceleration } = spec;
  const nics = spec.nics.map((nic) => ({ mac: nic.mac, addresses: nic.addresses }));
  const facts: MachineFacts = { name, acceleration, nics };
  const path = join(spec.stateDir, stateFiles.facts);
  const partial = `${path}.${newId()}.partial`;
  await writeFile(partial, JSON.stringify(facts), { mode: 0o600 });
  await rename(partial, path);
  return facts;
}

/** The facts of the machine in a folder; null when there are none or they are not readable. */
export async function readMachineFacts(stateDir: string): Promise<MachineFacts | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDir, stateFiles.facts), 'utf8'));
    return isFacts(value) ? value : null;
  } catch {
    return null;
  }
}
