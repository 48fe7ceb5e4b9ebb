import { resolve } from 'node:path';
import { AppError } from '@ascend/errors';
import { partialPolicySchema } from '@ascend/protocol';
import { parsePairs } from '../commands/context.ts';
import {
  readGuestChanges,
  readSources,
  type GuestOptions,
  type SourceOptions,
} from '../commands/guestOptions.ts';
import { platformOf } from '../registry.ts';
import type { ConvertRequest } from './convertDisks.ts';
import { firmwareOption } from './hardware.ts';
import { readSpecOption } from './specOption.ts';

/** Options of `local convert` as the command line gives them. */
export interface ConvertOptions extends GuestOptions, SourceOptions {
  readonly for: string;
  readonly out?: string;
  readonly plan?: boolean;
  readonly spec?: string;
  readonly specVm?: string;
  readonly mac: string[];
  readonly firmware?: string;
  readonly diskBus?: string;
  readonly repositoryRoot?: string;
  readonly key: string[];
  readonly verbose?: boolean;
}

/** NIC index → MAC in canonical form. @throws {AppError} INPUT_INVALID */
export function readMacs(pairs: readonly string[]): Readonly<Record<string, string>> {
  const macs = parsePairs(
    'mac',
    pairs.map((one) => one.toLowerCase()),
  );
  const parsed = partialPolicySchema.shape.macs.safeParse(macs);
  const indexes = Object.keys(macs).every((index) => /^\d{1,3}$/.test(index));
  if (parsed.success && indexes) return macs;
  const message = `read --mac: ${pairs.join(' ')} is not NIC=MAC like 0=00:50:56:aa:bb:01`;
  throw new AppError({ code: 'INPUT_INVALID', message });
}

/** Checks what the command line gave. @throws {AppError} INPUT_INVALID, CATALOG_SPEC_INVALID */
export async function readConvertRequest(
  disks: readonly string[],
  options: ConvertOptions,
  note: (text: string) => void,
): Promise<ConvertRequest> {
  if (options.plan !== true && options.out === undefined)
    throw new AppError({
      code: 'INPUT_INVALID',
      message: 'read --out: a folder is needed, unless --plan is given',
    });
  return {
    disks,
    platform: platformOf('for', options.for),
    repositoryRoot: options.repositoryRoot === undefined ? null : resolve(options.repositoryRoot),
    spec:
      options.spec === undefined
        ? null
        : await readSpecOption({ file: options.spec, vm: options.specVm, note }),
    macs: readMacs(options.mac),
    firmware: firmwareOption(options.firmware),
    diskBus: options.diskBus ?? null,
    sources: readSources(options),
    keys: options.key,
    ...readGuestChanges(options),
  };
}
