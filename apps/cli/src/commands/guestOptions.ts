import { readFileSync, statSync } from 'node:fs';
import type { AddressRule } from '@ascend/domain';
import { AppError, toAppError } from '@ascend/errors';
import { partialPolicySchema } from '@ascend/protocol';
import type { Command } from 'commander';
import { collect } from './context.ts';

/** Options about what changes inside the guest beyond what the target needs. */
export interface GuestOptions {
  reIp: string[];
  firstBoot?: string;
}

/** The same, checked. */
export interface GuestChanges {
  readonly addressRules: readonly AddressRule[];
  readonly firstBootScript: string | null;
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
    );
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

/** Reads rules and script. @throws {AppError} INPUT_INVALID */
export function readGuestChanges(options: GuestOptions): GuestChanges {
  return {
    addressRules: options.reIp.map(readRule),
    firstBootScript: options.firstBoot === undefined ? null : readScript(options.firstBoot),
  };
}
