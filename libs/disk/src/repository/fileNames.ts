import { createHash } from 'node:crypto';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';

const formatsByExtension: Readonly<Record<string, SourceFormat>> = {
  '.qcow2': 'qcow2',
  '.vhd': 'vhd',
  '.vhdx': 'vhdx',
  '.vmdk': 'vmdk',
  '.raw': 'raw',
  '.img': 'raw',
};
const sidecarExtensions = new Set(['.ovf', '.vmx', '.xml', '.json']);
// Identifiers are VARCHAR(64) in the catalogue.
const maxIdLength = 64;

/** The format that a file name promises; null for a file that is no image. */
export function formatOfName(name: string): SourceFormat | null {
  const extension = path.extname(name).toLowerCase();
  return Object.hasOwn(formatsByExtension, extension) ? (formatsByExtension[extension] ?? null) : null;
}

/** True for files that may describe a VM: OVF, VMX, libvirt XML, JSON. */
export function isSidecarName(name: string): boolean {
  return sidecarExtensions.has(path.extname(name).toLowerCase());
}

/** What a backup's file name tells. */
export interface BackupName {
  readonly vmName: string;
  readonly diskIndex: number;
  /** `YYYYMMDD-HHMMSS` as in the name. */
  readonly stamp: string;
  /** The stamp as ISO 8601 UTC. */
  readonly createdAt: string;
}

/** A `YYYYMMDD-HHMMSS` stamp as ISO 8601 UTC; null when it is no date. */
function readStamp(stamp: string): string | null {
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/, '$1-$2-$3T$4:$5:$6.000Z');
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) || date.toISOString() !== iso ? null : iso;
}

/** Reads `backup-<vm>-disk<N>-YYYYMMDD-HHMMSS.<ext>`; null for any other name. */
export function readBackupName(name: string): BackupName | null {
  const match = /^backup-(.+)-disk(\d{1,4})-(\d{8}-\d{6})$/.exec(path.parse(name).name);
  const [, vmName = '', index = '', stamp = ''] = match ?? [];
  const createdAt = readStamp(stamp);
  return match === null || createdAt === null ? null : { vmName, diskIndex: Number(index), stamp, createdAt };
}

/** The VM name inside `ctx-[backup-]<vm>[-YYYYMMDD-HHMMSS]`; other folder names are VM names themselves. */
export function vmNameOfFolder(folderName: string): string {
  return /^ctx-(?:backup-)?(.+?)(?:-\d{8}-\d{6})?$/.exec(folderName)?.[1] ?? folderName;
}

/** N of a folder name `disk-N`; null for any other. */
export function diskIndexOfFolder(folderName: string): number | null {
  const digits = /^disk-(\d{1,4})$/.exec(folderName)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** 16 hex digits that stand for a text, the same on every run and machine. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** An identifier out of a text: itself when it is one, else its prefix with the hash of the text. */
export function identifier(prefix: string, text: string): string {
  const plain = `${prefix}${text}`;
  return /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(plain) && plain.length <= maxIdLength
    ? plain
    : `${prefix}${shortHash(text)}`;
}
