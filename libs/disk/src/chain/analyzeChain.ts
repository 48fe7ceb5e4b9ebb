import type { DiskFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { blockdevArgument, imageBlockdev } from '../blockdev.ts';
import { connectNbd } from '../nbd/client.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { probeImage } from '../repository/probeImage.ts';
import { toolError } from '../qemu/qemuError.ts';
import { errorsOf } from '../source/namedErrors.ts';
import type { ChainLayer, DiskChain } from './chain.ts';
import { assertChainUnchanged } from './fingerprint.ts';

// Exit codes of `qemu-img check`: 2 damaged, 3 leaked clusters only, 63 the format has no check (qemu-img(1), QEMU 7.2).
const exitDamaged = 2;
const exitLeaks = 3;
const exitNoCheck = 63;

/** The facts of one disk, with the remarks of its files. */
export interface DiskAnalysis extends DiskFacts {
  readonly remarks: readonly string[];
}

function countIn(report: string, key: string): number {
  try {
    const parsed: unknown = JSON.parse(report);
    const value: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, key) : 0;
    return typeof value === 'number' ? value : 0;
  } catch {
    return 0;
  }
}

/** Checks the metadata of one file alone. Returns remarks; damage is an error, unless the file says itself that its counts may be stale. */
async function checkLayer(layer: ChainLayer, signal?: AbortSignal): Promise<string[]> {
  const alone = imageBlockdev({
    chain: { rootPath: '', virtualSizeBytes: layer.virtualSizeBytes, layers: [layer], remarks: [] },
    overlays: [],
  });
  const operation = `check ${layer.relPath}`;
  const result = await runProcess({
    program: 'qemu-img',
    args: ['check', '--output=json', blockdevArgument(alone)],
    okExitCodes: [0, exitDamaged, exitLeaks, exitNoCheck],
    ...(signal === undefined ? {} : { signal }),
  }).catch((cause: unknown) => {
    throw toolError(operation, cause, 'DISK_IMAGE_CORRUPT');
  });
  if (result.exitCode === exitDamaged && (await probeImage(layer.absPath, layer.format)).closedCleanly) {
    const corruptions = countIn(result.stdout, 'corruptions');
    throw new AppError({
      code: 'DISK_IMAGE_CORRUPT',
      message: `${operation}: ${corruptions} errors in its metadata`,
      details: { file: layer.relPath, corruptions, output: result.stderr.slice(-2048) },
    });
  }
  if (result.exitCode !== exitLeaks) return [];
  return [
    `${layer.relPath} has ${countIn(result.stdout, 'leaks')} leaked clusters (lost space, sound content)`,
  ];
}

async function countAllocated(chain: DiskChain, workDir: string, signal?: AbortSignal): Promise<number> {
  const stop = signal === undefined ? {} : { signal };
  const blockdev = imageBlockdev({ chain, overlays: [] });
  const server = await serveNbd({ blockdev, writable: false, connections: 1, workDir, ...stop });
  try {
    const { socketPath, exportName } = server;
    const client = await connectNbd({ socketPath, exportName, ...stop });
    try {
      if (client.sizeBytes !== chain.virtualSizeBytes) {
        throw new AppError({
          code: 'DISK_HEADER_INVALID',
          message: `analyse ${chain.layers[0]?.relPath}: served with ${client.sizeBytes} bytes, its header says ${chain.virtualSizeBytes}`,
          details: { servedBytes: client.sizeBytes, headerBytes: chain.virtualSizeBytes },
        });
      }
      let sum = 0;
      for await (const extent of client.extents(0, client.sizeBytes)) {
        if (extent.kind === 'data') sum += extent.lengthBytes;
      }
      return sum;
    } finally {
      await client.close();
    }
  } finally {
    await server.close();
  }
}

/**
 * Checks an opened chain thoroughly: the metadata of every file (`qemu-img check`), that it can be opened as a whole, and how much
 * data the chosen point holds. Only reads.
 *
 * @throws {AppError} DISK_IMAGE_CORRUPT, DISK_IMAGE_DIRTY, DISK_SOURCE_BUSY, DISK_SOURCE_CHANGED, DISK_OPEN_FAILED, DISK_HEADER_INVALID,
 * DISK_IO_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function analyzeChain(
  chain: DiskChain,
  params: { readonly diskIndex: number; readonly workDir: string; readonly signal?: AbortSignal },
): Promise<DiskAnalysis> {
  const remarks = [...chain.remarks];
  for (const layer of chain.layers) {
    remarks.push(...(await checkLayer(layer, params.signal)));
  }
  const allocatedBytes = await errorsOf(chain).during(() =>
    countAllocated(chain, params.workDir, params.signal),
  );
  await assertChainUnchanged(chain);
  return {
    diskIndex: params.diskIndex,
    virtualSizeBytes: chain.virtualSizeBytes,
    allocatedBytes,
    layers: chain.layers.map(({ relPath, format, fileSizeBytes, mtimeMs, headSha256 }) => ({
      relPath,
      format,
      fileSizeBytes,
      mtimeMs,
      headSha256,
    })),
    remarks,
  };
}
