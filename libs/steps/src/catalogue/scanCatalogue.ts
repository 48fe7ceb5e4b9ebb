import path from 'node:path';
import type { ScannedContext, ScannedRepository, VmSpec } from '@ascend/domain';
import { openRoot, scanRepository } from '@ascend/disk';
import { AppError, isAppError } from '@ascend/errors';
import type { SpecReader } from '@ascend/vm-spec';
import { readForeignSpec } from './foreignSpecs.ts';
import { openSidecars, pathInside } from './sidecarDocuments.ts';
import { ownSuffix, readVmSpecFile } from './specFile.ts';
import { SpecRemarks } from './specRemarks.ts';

type Skipped = ScannedRepository['skipped'][number];

/** Specifications of one scan, in JSON: one answer on the bus holds them all. */
const maxTotalBytes = 24 * 1024 * 1024;

function isSpecFile(relPath: string): boolean {
  return relPath.endsWith(ownSuffix);
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
    const named = files.filter((relPath) => path.basename(relPath) === `${vmName}${ownSuffix}`);
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

interface SpecCollector {
  /** The specification of a VM, null with the reason in `skipped` when no file is of use. */
  read(context: ScannedContext): Promise<VmSpec | null>;
  readonly skipped: readonly Skipped[];
  readonly remarks: SpecRemarks;
}

function createCollector(
  realRoot: string,
  contexts: readonly ScannedContext[],
  readers: readonly SpecReader[],
): SpecCollector {
  const chosen = chooseSpecFiles(contexts);
  const owners = Map.groupBy(
    contexts.flatMap(({ sidecars }) => sidecars),
    (relPath) => relPath,
  );
  const library = openSidecars(realRoot, readers);
  const skipped: Skipped[] = unusedFiles(contexts, new Set(chosen.values()));
  const remarks = new SpecRemarks();
  let totalBytes = 0;
  const hold = (relPath: string, spec: VmSpec): VmSpec | null => {
    totalBytes += Buffer.byteLength(JSON.stringify(spec));
    if (totalBytes <= maxTotalBytes) return spec;
    const reason = `more than ${maxTotalBytes} bytes of VM specifications`;
    skipped.push({ relPath, code: 'CATALOG_SCAN_LIMIT', reason });
    return null;
  };
  const readOwn = async (relPath: string): Promise<VmSpec | null> => {
    try {
      const { spec } = await readVmSpecFile({ path: await pathInside(realRoot, relPath), readers: [] });
      return hold(relPath, spec);
    } catch (cause) {
      if (!isAppError(cause)) throw cause;
      skipped.push({ relPath, code: cause.code, reason: cause.message });
      return null;
    }
  };
  const readForeign = async (context: ScannedContext): Promise<VmSpec | null> => {
    const found = await readForeignSpec(
      context,
      library,
      (relPath) => (owners.get(relPath)?.length ?? 0) > 1,
    );
    skipped.push(...found.skipped);
    if (found.reading === null || found.reading.spec === null) return null;
    remarks.add(found.relPath, found.reading.findings);
    return hold(found.relPath, found.reading.spec);
  };
  return {
    remarks,
    get skipped() {
      return [...skipped, ...library.skipped];
    },
    read: async (context) => {
      const relPath = chosen.get(context.contextId);
      if (relPath !== undefined) return await readOwn(relPath);
      // A doubtful file of ours is to be put right, not to be passed over.
      const isDoubtful = context.sidecars.some((one) => isSpecFile(one) && owners.get(one)?.length === 1);
      return isDoubtful ? null : await readForeign(context);
    },
  };
}

/**
 * Rebuilds what a catalogue would know from a repository folder alone: `scanRepository`, and for each VM the specification in its
 * `*.vmspec.json`, else in a file of a format that one of the readers knows (`*.ovf, *.vmx, *.xml, *.json`). Files of other formats are only
 * listed. One that cannot be used is in `skipped` with its code and never stops the scan; what a reader remarked is in `remarks`. Reads only;
 * deterministic.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR - the root itself; OPERATION_CANCELLED
 */
export async function scanCatalogue(params: {
  readonly rootPath: string;
  /** Formats of VM metadata beside our own JSON; those that tell more come first. */
  readonly readers: readonly SpecReader[];
  readonly signal: AbortSignal;
}): Promise<ScannedRepository> {
  const scan = await scanRepository(params);
  const root = await openRoot(params.rootPath);
  const specs = createCollector(root.real, scan.contexts, params.readers);
  const contexts: ScannedContext[] = [];
  for (const context of scan.contexts) {
    if (params.signal.aborted) {
      throw new AppError({ code: 'OPERATION_CANCELLED', message: `scan ${root.given}: cancelled` });
    }
    contexts.push({ ...context, vmSpec: await specs.read(context) });
  }
  const skipped = [...scan.skipped, ...specs.skipped];
  const told = new Map(skipped.map((one) => [`${one.relPath}\0${one.code}`, one]));
  return {
    contexts,
    skipped: [...told.values()].toSorted((a, b) => (a.relPath < b.relPath ? -1 : 1)),
    remarks: specs.remarks.list,
  };
}
