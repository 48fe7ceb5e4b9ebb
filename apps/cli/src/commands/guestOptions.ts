import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AddressRule, ExecutorPolicy } from '@ascend/domain';
import { AppError, toAppError } from '@ascend/errors';
import type { GuestSources } from '@ascend/guest';
import { partialPolicySchema } from '@ascend/protocol';
import type { Command } from 'commander';
import { collect } from './context.ts';

/** Options about what changes inside the guest beyond what the target needs. */
export interface GuestOptions {
  reIp: string[];
  firstBoot?: string;
  executor?: string;
  acceptDirty?: boolean;
}

/** Options about what this machine puts into guests. */
export interface SourceOptions {
  windowsDrivers?: string;
  agentPackages?: string;
}

/** The same, checked. */
export interface GuestChanges {
  readonly addressRules: readonly AddressRule[];
  readonly firstBootScript: string | null;
  readonly executor: ExecutorPolicy;
  readonly acceptDirty: boolean;
}

/** More than a script may have: the limit itself is told by the schema. */
const maxReadBytes = 1024 * 1024;

/** Adds the options that change what is inside the guest. */
export function addGuestOptions(command: Command): Command {
  return command
    .option(
      '--re-ip <from=to>',
      'move all addresses of a network to another of the same size, e.g. 10.0.2.0/24=10.9.2.0/24 (repeatable)',
      collect,
      [],
    )
    .option(
      '--first-boot <file>',
      'script that runs as root once at the first boot, at most 64 KiB; it is stored in the plan: put no secrets into it',
    )
    .option(
      '--executor <auto|host|appliance>',
      'who mounts and edits the guest: this machine, or a libguestfs appliance (any LVM, RAID, LUKS; slow without hardware acceleration); default: auto, by layout',
    )
    .option(
      '--accept-dirty',
      'edit a Windows volume that was in use when it was backed up; what its own log still holds is dropped',
    );
}

/** Adds the options that name what this machine has for guests; an agent has settings for them. */
export function addSourceOptions(command: Command): Command {
  return command
    .option(
      '--windows-drivers <path>',
      'drivers for Windows guests: a folder of packages or an ISO image, laid out like virtio-win',
    )
    .option(
      '--agent-packages <dir>',
      "packages of the target's guest agent (.deb, .rpm, .msi, .exe, .cab); the first boot installs the one that fits, offline",
    );
}

/** Adds the option for keys of encrypted volumes, where the guest is opened by this process. */
export function addKeyOption(command: Command): Command {
  return command.option(
    '--key <file|uuid=file>',
    'key of an encrypted volume (LUKS): a file of one line, mode 600; with the UUID of the volume for that one alone (repeatable)',
    collect,
    [],
  );
}

function readExecutor(text: string): ExecutorPolicy {
  const parsed = partialPolicySchema.shape.executor.safeParse(text);
  if (parsed.success && parsed.data !== undefined) return parsed.data;
  throw invalid(`read --executor: ${JSON.stringify(text)} is not auto, host or appliance`);
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError({ code: 'INPUT_INVALID', message, ...(cause === undefined ? {} : { cause }) });
}

function readRule(text: string): AddressRule {
  const parts = text.split('=');
  const [from = '', to = ''] = parts;
  const parsed = partialPolicySchema.shape.addressRules.safeParse([{ from, to }]);
  if (parts.length === 2 && parsed.success) return { from, to };
  throw invalid(`read --re-ip: ${JSON.stringify(text)} is not FROM=TO with two networks like 10.0.2.0/24`);
}

function readScript(path: string): string {
  let script: string;
  try {
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > maxReadBytes)
      throw invalid(`read --first-boot: ${path} is no regular file or larger than a script may be`);
    script = readFileSync(path, 'utf8');
  } catch (cause) {
    const known = toAppError(cause, 'read --first-boot');
    throw known.code === 'INPUT_INVALID'
      ? known
      : invalid(`read --first-boot: ${path} is not readable`, cause);
  }
  const parsed = partialPolicySchema.shape.firstBootScript.safeParse(script);
  if (parsed.success) return script;
  throw invalid(`read --first-boot: ${path}: ${parsed.error.issues[0]?.message ?? 'it is no script'}`);
}

/** Reads rules, script and executor. @throws {AppError} INPUT_INVALID */
export function readGuestChanges(options: GuestOptions): GuestChanges {
  return {
    addressRules: options.reIp.map(readRule),
    firstBootScript: options.firstBoot === undefined ? null : readScript(options.firstBoot),
    executor: readExecutor(options.executor ?? 'auto'),
    acceptDirty: options.acceptDirty === true,
  };
}

function readSource(option: string, path: string | undefined, mayBeFile: boolean): string | null {
  if (path === undefined) return null;
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts?.isDirectory() === true || (mayBeFile && facts?.isFile() === true)) return resolve(path);
  throw invalid(`read --${option}: ${path} is no folder${mayBeFile ? ' and no file' : ''} that is there`);
}

/** Where drivers and packages lie, absolute; both are there. @throws {AppError} INPUT_INVALID */
export function readSources(options: SourceOptions): GuestSources {
  return {
    windowsDrivers: readSource('windows-drivers', options.windowsDrivers, true),
    agentPackages: readSource('agent-packages', options.agentPackages, false),
  };
}
