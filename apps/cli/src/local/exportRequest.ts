import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import {
  engineOf,
  fileFacts,
  fileFormatOf,
  verifyModes,
  type ExportEngine,
  type FileFormat,
  type VerifyMode,
} from '@ascend/disk';
import type { SourceFormat, VmSpec } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { parseSize } from '../commands/context.ts';
import { exportNames } from './exportNames.ts';
import { readSpecOption } from './specOption.ts';

/** Options of `local export` as the command line gives them. */
export interface ExportOptions {
  readonly format: string;
  readonly out: string;
  readonly spec?: string;
  readonly specVm?: string;
  readonly engine: string;
  readonly bandwidth?: string;
  readonly resume?: boolean;
  readonly verify: string;
  readonly repositoryRoot?: string;
  readonly sourceFormat?: string;
  readonly deltaFrom?: string;
  readonly atOnce?: string;
  readonly checkpoint?: string;
  readonly dryRun?: boolean;
}

/** What `local export` is asked, checked. */
export interface ExportRequest {
  readonly disks: readonly { readonly chain: string; readonly finalPath: string }[];
  readonly format: FileFormat;
  readonly engine: ExportEngine;
  readonly verify: VerifyMode;
  readonly bandwidthBytesPerSecond: number | null;
  readonly repositoryRoot: string | null;
  readonly sourceFormat: SourceFormat | null;
  readonly resume: boolean;
  readonly dryRun: boolean;
  /** `--out` is a folder that is made when missing. */
  readonly makeFolder: boolean;
  /** Disks that are copied at the same time. */
  readonly atOnce: number;
  /** null = the usual interval. */
  readonly confirmEveryMs: number | null;
  /** One archive of all disks instead of a file each: the VM to describe. `format` is that of its members then. */
  readonly spec: VmSpec | null;
  /** The older point that the file at `finalPath` is a copy of, and what kind of file that is. */
  readonly delta: { readonly from: string; readonly format: 'raw' | 'qcow2' } | null;
}

const sourceFormats: readonly SourceFormat[] = ['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw'];

function invalid(message: string, hint?: string): AppError {
  return new AppError({ code: 'INPUT_INVALID', message, ...(hint === undefined ? {} : { hint }) });
}

function oneOf<T extends string>(option: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text);
  if (found === undefined)
    throw invalid(`read --${option}: ${JSON.stringify(text)} is none of ${allowed.join(', ')}`);
  return found;
}

async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

const deltaFormats = ['raw', 'qcow2'] as const;

function readDelta(chains: readonly string[], options: ExportOptions): ExportRequest['delta'] {
  if (options.deltaFrom === undefined) return null;
  if (chains.length !== 1)
    throw invalid(`read --delta-from: it goes with one chain, ${chains.length} are given`);
  const format = deltaFormats.find((one) => one === options.format);
  if (format === undefined)
    throw invalid(`read --delta-from: a delta is written onto raw or qcow2, not onto ${options.format}`);
  return { from: resolve(options.deltaFrom), format };
}

/** What the format ova needs beside the disks; null for every other format. */
async function readSpec(options: ExportOptions, note: (text: string) => void): Promise<VmSpec | null> {
  if (options.format !== 'ova') {
    if (options.spec !== undefined)
      throw invalid('read --spec: only the format ova takes a VM specification');
    return null;
  }
  if (options.spec === undefined) throw invalid('read --spec: the format ova needs a VM specification');
  return await readSpecOption({ file: options.spec, vm: options.specVm, note });
}

function readNumber(option: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
  throw invalid(`read --${option}: ${JSON.stringify(text)} is no number from ${least} to ${most}`);
}

function readAtOnce(text: string | undefined): number {
  const value = readNumber('at-once', text, 1, 64);
  if (value !== null && !Number.isInteger(value))
    throw invalid(`read --at-once: ${value} is no whole number of disks`);
  return value ?? availableParallelism();
}

interface Places {
  readonly names: readonly string[];
  readonly intoFolder: boolean;
}

/** Where each disk goes. */
async function placesOf(out: string, chains: readonly string[], format: FileFormat): Promise<Places> {
  const intoFolder = chains.length > 1 || (await isFolder(out));
  const names = intoFolder ? exportNames(out, chains, fileFacts[format].extension) : [out];
  return { names, intoFolder };
}

async function archivePlaces(out: string, chains: readonly string[]): Promise<Places> {
  if (await isFolder(out)) throw invalid(`read --out: ${out} is a folder, the format ova makes one file`);
  return { names: chains.map(() => out), intoFolder: false };
}

/**
 * Checks what the command line gave.
 *
 * @throws {AppError} INPUT_INVALID; DISK_TARGET_UNSUPPORTED - this version has no encoder of the name; CATALOG_SPEC_INVALID
 */
export async function readExportRequest(
  chains: readonly string[],
  options: ExportOptions,
  note: (text: string) => void,
): Promise<ExportRequest> {
  const spec = await readSpec(options, note);
  const format = spec === null ? fileFormatOf(options.format) : 'vmdk-stream';
  const delta = readDelta(chains, options);
  const out = resolve(options.out);
  const bandwidth = options.bandwidth === undefined ? null : parseSize('bandwidth', options.bandwidth);
  if (bandwidth === 0) throw invalid('read --bandwidth: nothing can be moved with 0 bytes per second');
  const resolved = chains.map((chain) => resolve(chain));
  const { names, intoFolder } = await (spec === null
    ? placesOf(out, resolved, format)
    : archivePlaces(out, resolved));
  const seconds = readNumber('checkpoint', options.checkpoint, 0.01, 3600);
  return {
    disks: resolved.map((chain, index) => ({ chain, finalPath: names[index] ?? out })),
    format,
    engine: engineOf(options.engine),
    verify: oneOf('verify', options.verify, verifyModes),
    bandwidthBytesPerSecond: bandwidth,
    repositoryRoot: options.repositoryRoot === undefined ? null : resolve(options.repositoryRoot),
    sourceFormat:
      options.sourceFormat === undefined ? null : oneOf('source-format', options.sourceFormat, sourceFormats),
    resume: options.resume === true,
    dryRun: options.dryRun === true,
    makeFolder: intoFolder,
    atOnce: readAtOnce(options.atOnce),
    confirmEveryMs: seconds === null ? null : seconds * 1000,
    spec,
    delta,
  };
}
