import { resolve } from 'node:path';
import { inspectDisk, type DiskSource, type InspectedDisk } from '@ascend/disk';
import { toAppError, type AppError } from '@ascend/errors';
import { firmwareOf, readLayout, type ByteSource } from '@ascend/guest';
import { withRootHint } from './exportDisks.ts';

/** One partition, or the whole of a disk without a table. */
interface InspectedPartition {
  /** null: the disk has no table. */
  readonly number: number | null;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Type in the table; null: the disk has no table. */
  readonly type: string | null;
  readonly content: string;
  readonly uuid: string | null;
  readonly label: string | null;
}

/** What is on a disk. */
interface DiskContents {
  readonly scheme: 'mbr' | 'gpt' | 'none';
  readonly firmware: string;
  readonly partitions: readonly InspectedPartition[];
}

/** How the inspection of one disk ended; an error is one that left nothing to tell. */
export type InspectOutcome =
  | { readonly path: string; readonly disk: InspectedDisk<DiskContents> }
  | { readonly path: string; readonly error: AppError };

function byteSource(source: DiskSource): ByteSource {
  return {
    sizeBytes: source.sizeBytes,
    read: async (offsetBytes, length) => {
      const target = Buffer.alloc(length);
      if (length > 0) await source.readInto(offsetBytes, target);
      return target;
    },
  };
}

async function examine(source: DiskSource): Promise<DiskContents> {
  const layout = await readLayout([{ diskIndex: 0, source: byteSource(source) }]);
  const table = layout.tables.get(0);
  return {
    scheme: table?.scheme ?? 'none',
    firmware: firmwareOf(table),
    // Volumes made of partitions have a name; one disk alone seldom holds all of such a volume.
    partitions: layout.volumes
      .filter((volume) => volume.name === undefined)
      .map((volume) => ({
        number: volume.partition,
        offsetBytes: volume.offsetBytes,
        sizeBytes: volume.sizeBytes,
        type: table?.partitions.find((one) => one.number === volume.partition)?.type ?? null,
        content: volume.content,
        uuid: volume.uuid,
        label: volume.label,
      })),
  };
}

/**
 * Inspects disks one after the other. A disk that cannot be opened does not hide the others.
 *
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function inspectDisks(
  files: readonly string[],
  params: {
    readonly repositoryRoot: string | null;
    readonly workDir: string;
    readonly signal: AbortSignal;
  },
): Promise<readonly InspectOutcome[]> {
  const outcomes: InspectOutcome[] = [];
  for (const file of files) {
    const path = resolve(file);
    try {
      outcomes.push({
        path,
        disk: await inspectDisk({ ...params, file: path, sourceFormat: null, examine }),
      });
    } catch (cause) {
      const error = withRootHint(toAppError(cause, `inspect ${path}`));
      if (error.code === 'OPERATION_CANCELLED') throw error;
      outcomes.push({ path, error });
    }
  }
  return outcomes;
}
