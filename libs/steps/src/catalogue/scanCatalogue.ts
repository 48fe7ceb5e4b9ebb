import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { ScannedContext, ScannedRepository, VmSpec } from '@ascend/domain';
import { isInside, openRoot, scanRepository } from '@ascend/disk';
import { AppError, isAppError } from '@ascend/errors';
import { readVmSpecFile } from './vmSpecFile.ts';

type Skipped = ScannedRepository['skipped'][number];

const suffix = '.vmspec.json';
/** Specifications of one scan, in JSON: one answer on the bus holds them all. */
const maxTotalBytes = 24 * 1024 * 1024;

function isSpecFile(relPath: string): boolean {
  return relPath.endsWith(suffix);
}

/** Which file describes which VM: the one with its name, else the only one that lies beside no other VM. */
function chooseSpecFiles(contexts: readonly ScannedContext[]): ReadonlyMap<string, string> {
  const owners = Map.groupBy(
    contexts.flatMap((context) => context.sidecars.filter(isSpecFile)),
    (relPath) => relPath,
  );
  const chosen = new Map<string, string>();
  for (const { contextId, vmName, sidecars } of contexts) {
    const files = sidecars.filter(isSpecFile);
    const named = files.filter((relPath) => path.basename(relPath) === `${vmName}${suffix}`);
    const own = files.filter((relPath) => owners.get(relPath)?.length === 1);
    const [only, ...others] = named.length > 0 ? named : own;
    if (only !== undefined && others.length === 0) chosen.set(contextId, only);
  }
  return chosen;
}

function unusedFiles(contexts: readonly ScannedContext[], used: ReadonlySet<string>): Skipped[] {
  const all = new Set(contexts.flatMap((context) => context.sidecars.filter(isSpecFile)));
  return [...all]
    .filter((relPath) => !used.has(relPath))
    .map((relPath) => ({
      relPath,
      code: 'CATALOG_SPEC_AMBIGUOUS',
      reason: 'which VM it describes cannot be told',
    }));
}

async function readInside(realRoot: string, relPath: string): Promise<VmSpec> {
  const absPath = path.join(realRoot, relPath);
  const real = await realpath(absPath).catch(() => absPath);
  if (isInside(realRoot, real)) return await readVmSpecFile(real);
  throw new AppError({
    code: 'DISK_PATH_OUTSIDE_REPOSITORY',
    message: `read VM specification ${relPath}: it leads outside the repository`,
    details: { path: relPath },
  });
}

interface SpecReader {
  /** Null with the reason in `skipped` when the file is of no use. */
  read(relPath: string): Promise<VmSpec | null>;
  readonly skipped: readonly Skipped[];
}

function createSpecReader(realRoot: string): SpecReader {
  const skipped: Skipped[] = [];
  let totalBytes = 0;
  return {
    skipped,
    read: async (relPath) => {
      try {
        const spec = await readInside(realRoot, relPath);
        totalBytes += Buffer.byteLength(JSON.stringify(spec));
        if (totalBytes <= maxTotalBytes) return spec;
        const reason = `more than ${maxTotalBytes} bytes of VM specifications`;
        skipped.push({ relPath, code: 'CATALOG_SCAN_LIMIT', reason });
      } catch (cause) {
        if (!isAppError(cause)) throw cause;
        skipped.push({ relPath, code: cause.code, reason: cause.message });
      }
      return null;
    },
  };
}

/**
 * Rebuilds what a catalogue would know from a repository folder alone: `scanRepository`, and for each VM the specification
 * in its `*.vmspec.json`. Other sidecars are only listed. A file that cannot be used is in `skipped` with its code and never
 * stops the scan. Reads only; deterministic.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR - the root itself; OPERATION_CANCELLED
 */
export async function scanCatalogue(params: {
  readonly rootPath: string;
  readonly signal: AbortSignal;
}): Promise<ScannedRepository> {
  const scan = await scanRepository(params);
  const root = await openRoot(params.rootPath);
  const chosen = chooseSpecFiles(scan.contexts);
  const reader = createSpecReader(root.real);
  const contexts: ScannedContext[] = [];
  for (const context of scan.contexts) {
    if (params.signal.aborted) {
      throw new AppError({ code: 'OPERATION_CANCELLED', message: `scan ${root.given}: cancelled` });
    }
    const relPath = chosen.get(context.contextId);
    contexts.push(relPath === undefined ? context : { ...context, vmSpec: await reader.read(relPath) });
  }
  const skipped = [
    ...scan.skipped,
    ...unusedFiles(scan.contexts, new Set(chosen.values())),
    ...reader.skipped,
  ];
  return { contexts, skipped: skipped.toSorted((a, b) => (a.relPath < b.relPath ? -1 : 1)) };
}
