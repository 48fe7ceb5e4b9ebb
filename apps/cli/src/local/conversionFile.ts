import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { platformIds, type Finding, type PlatformId, type SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { findingSchema, macSchema } from '@ascend/protocol';
import { z } from 'zod';

/** One disk of a conversion: the backup's top file and the sealed overlay on it. */
interface ConvertedDisk {
  readonly diskIndex: number;
  /** Absolute path of the chain's top file. */
  readonly source: string;
  readonly format: SourceFormat;
  /** Absolute folder that all files of the chain lie in. */
  readonly repositoryRoot: string;
  /** File name in the folder of the conversion. */
  readonly overlay: string;
}

/** What `local convert` leaves beside the overlays; `local boot-test` reads it. */
export interface Conversion {
  readonly version: 1;
  readonly platform: PlatformId;
  /** Which hardware of the platform. */
  readonly variant: string;
  readonly firmware: 'bios' | 'uefi';
  /** Of all source disks (D2): a backup that changed since makes the overlays worthless. */
  readonly fingerprint: string;
  readonly system: string;
  readonly cpuCount: number | null;
  readonly memoryBytes: number | null;
  readonly nics: readonly {
    readonly nicIndex: number;
    readonly mac: string | null;
    readonly guestName: string | null;
    readonly addresses: readonly string[];
    readonly rule: 'keep-mac-and-address' | 'platform-dhcp' | 'unknown-mac';
  }[];
  readonly disks: readonly ConvertedDisk[];
  readonly diff: readonly { readonly path: string; readonly change: string }[];
  readonly findings: readonly Finding[];
}

/** Name of the file in the folder of a conversion. */
export const conversionName = 'conversion.json';

const maxFileBytes = 64 * 1024 * 1024;

const conversionSchema: z.ZodType<Conversion> = z.object({
  version: z.literal(1),
  platform: z.enum(platformIds),
  variant: z.string(),
  firmware: z.enum(['bios', 'uefi']),
  fingerprint: z.string(),
  system: z.string(),
  cpuCount: z.number().int().min(1).max(4096).nullable(),
  memoryBytes: z.number().int().positive().nullable(),
  nics: z.array(
    z.object({
      nicIndex: z.number().int().min(0),
      mac: macSchema.nullable(),
      guestName: z.string().nullable(),
      addresses: z.array(z.string()),
      rule: z.enum(['keep-mac-and-address', 'platform-dhcp', 'unknown-mac']),
    }),
  ),
  disks: z
    .array(
      z.object({
        diskIndex: z.number().int().min(0),
        source: z.string().startsWith('/'),
        format: z.enum(['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw']),
        repositoryRoot: z.string().startsWith('/'),
        overlay: z.string().regex(/^disk-\d{1,4}\.qcow2$/),
      }),
    )
    .min(1),
  diff: z.array(z.object({ path: z.string(), change: z.string() })),
  findings: z.array(findingSchema),
});

/** Writes the file, complete or not at all, for its owner alone: it quotes files of the guest. */
export async function writeConversion(folder: string, conversion: Conversion): Promise<void> {
  const path = join(folder, conversionName);
  await writeFile(`${path}.partial`, `${JSON.stringify(conversion, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  await chmod(`${path}.partial`, 0o400);
  await rename(`${path}.partial`, path);
}

/**
 * The conversion whose overlays lie in a folder; null when the folder holds none.
 *
 * @throws {AppError} INPUT_INVALID - the file is there and not what `local convert` writes
 */
export async function readConversion(folder: string): Promise<Conversion | null> {
  const path = join(folder, conversionName);
  const facts = await stat(path).catch(() => null);
  if (facts === null) return null;
  try {
    if (!facts.isFile() || facts.size > maxFileBytes) throw new Error('no regular file, or too large');
    return conversionSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    const message = `read ${path}: it is not what local convert writes`;
    throw new AppError({ code: 'INPUT_INVALID', message, cause });
  }
}
