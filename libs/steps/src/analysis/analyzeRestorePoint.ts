import { factsVersion, type ExecutorPolicy, type RestorePointFacts, type SourceFormat } from '@ascend/domain';
import { analyzeChain, fingerprintOf, openChain, type DiskChain } from '@ascend/disk';
import { applianceChoice, probeGuest, type ApplianceSetup } from '@ascend/guest';
import type { Clock, Logger } from '@ascend/runtime';

/** Which restore point to analyse, and where. */
export interface AnalyzeRestorePointParams {
  readonly backupId: string;
  /** Root folder of the repository on this machine. */
  readonly rootPath: string;
  readonly disks: readonly {
    readonly diskIndex: number;
    /** As recorded: absolute (possibly under another mount point) or relative to the root. */
    readonly path: string;
    readonly format: SourceFormat;
  }[];
  /** Private scratch folder; nothing stays in it. */
  readonly workDir: string;
  /** For guests that the host's parsers cannot look into; absent = no appliance here. */
  readonly appliance?: ApplianceSetup;
  /** Default: `auto`. */
  readonly executor?: ExecutorPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The whole analysis that a plan is made from (D1): opens and checks every chain, measures what it holds, takes the
 * fingerprint and looks into the guest. Reads only. Runs outside any job; its answer is cached by fingerprint.
 *
 * @throws {AppError} DISK_* - a chain is broken, busy or outside the repository; OPERATION_CANCELLED
 */
export async function analyzeRestorePoint(params: AnalyzeRestorePointParams): Promise<RestorePointFacts> {
  return analyzeOpened(params, await openChains(params));
}

/**
 * As `analyzeRestorePoint`, unless the fingerprint is still the known one: then null, after reading a few headers only.
 *
 * @throws {AppError} as `analyzeRestorePoint`
 */
export async function analyzeIfChanged(
  params: AnalyzeRestorePointParams & { readonly knownFingerprint: string | null },
): Promise<RestorePointFacts | null> {
  const opened = await openChains(params);
  const layers = opened.map(({ diskIndex, chain }) => ({ diskIndex, layers: chain.layers }));
  return fingerprintOf(layers) === params.knownFingerprint ? null : analyzeOpened(params, opened);
}

interface OpenedDisk {
  readonly diskIndex: number;
  readonly chain: DiskChain;
}

async function openChains(params: AnalyzeRestorePointParams): Promise<readonly OpenedDisk[]> {
  const { rootPath } = params;
  return Promise.all(
    params.disks
      .toSorted((left, right) => left.diskIndex - right.diskIndex)
      .map(async ({ diskIndex, path, format }) => ({
        diskIndex,
        chain: await openChain({ rootPath, path, format }),
      })),
  );
}

async function analyzeOpened(
  params: AnalyzeRestorePointParams,
  opened: readonly OpenedDisk[],
): Promise<RestorePointFacts> {
  const { workDir, logger, signal } = params;
  const disks = [];
  // One after the other: a check of a large chain keeps the storage busy enough.
  for (const { diskIndex, chain } of opened) {
    disks.push(await analyzeChain(chain, { diskIndex, workDir, signal }));
  }
  const images = opened.map(({ diskIndex, chain }) => ({ diskIndex, image: { chain, overlays: [] } }));
  const { appliance: setup, executor = 'auto' } = params;
  const by = setup === undefined ? {} : { appliance: await applianceChoice(setup) };
  const guest = await probeGuest({ images, workDir, logger, signal, executor, ...by });
  return {
    version: factsVersion,
    backupId: params.backupId,
    fingerprint: fingerprintOf(disks),
    disks,
    guest,
    analyzedAt: new Date(params.clock.now()).toISOString(),
  };
}
