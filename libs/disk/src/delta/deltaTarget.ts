import { open, stat } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { fileBlockdev, type DiskImage } from '../blockdev.ts';
import { createDataWriter } from '../dataWriter.ts';
import { changeFile, readError } from '../fileErrors.ts';
import { connectNbd, type NbdClient } from '../nbd/client.ts';
import { toolError } from '../qemu/qemuError.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { probeImage } from '../repository/probeImage.ts';

/** Kinds of files that a delta can be written onto. */
type DeltaFormat = 'raw' | 'qcow2';

/** A target that stays in place. */
export interface DeltaTarget {
  readonly path: string;
  readonly format: DeltaFormat;
}

function refuse(
  target: DeltaTarget,
  problem: string,
  details: Record<string, number | string> = {},
): AppError {
  return new AppError({
    code: 'DISK_DELTA_BASE_MISMATCH',
    message: `apply delta to ${target.path}: ${problem}`,
    details: { target: target.path, ...details },
  });
}

/**
 * Checks from the outside that a file can be the older copy: it is no file of the backup, stands alone, and has the older size, or the
 * newer one after a delta that was cut. Reads only; returns its size as a disk.
 *
 * @throws {AppError} DISK_DELTA_BASE_MISMATCH, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR and the header codes of
 * `openChain`
 */
export async function checkDeltaTarget(
  target: DeltaTarget,
  image: DiskImage,
  sizes: readonly number[],
): Promise<number> {
  const facts = await probeImage(target.path, target.format);
  const { dev, ino } = await stat(target.path).catch((cause: unknown) => {
    throw readError('open', target.path, cause);
  });
  for (const layer of image.chain.layers) {
    const own = await stat(layer.absPath).catch((cause: unknown) => {
      throw readError('open', layer.relPath, cause);
    });
    if (own.dev === dev && own.ino === ino)
      throw refuse(target, `it is ${layer.relPath}, a file of the backup itself`);
  }
  if (facts.backingName !== null) throw refuse(target, 'it stands on a backing file');
  if (!sizes.includes(facts.virtualSizeBytes)) {
    throw refuse(target, `it has ${facts.virtualSizeBytes} bytes, the older point ${sizes[0] ?? 0}`, {
      targetSizeBytes: facts.virtualSizeBytes,
      olderSizeBytes: sizes[0] ?? 0,
    });
  }
  return facts.virtualSizeBytes;
}

/** Gives the target another size; what is added reads as zeros, what is cut off is lost. @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED */
export async function resizeTarget(target: DeltaTarget, sizeBytes: number): Promise<void> {
  try {
    await runProcess({
      program: 'qemu-img',
      args: ['resize', '-q', '-f', target.format, '--shrink', target.path, String(sizeBytes)],
    });
  } catch (cause) {
    throw toolError(`resize ${target.path}`, cause, 'DISK_IO_FAILED');
  }
}

/** Where the changes go. */
export interface DeltaWriter {
  readonly sizeBytes: number;
  write(offsetBytes: number, data: Buffer): Promise<void>;
  writeZeros(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** What was written before is durable when it returns. */
  flush(): Promise<void>;
}

/** An open target. */
export interface OpenDeltaTarget {
  readonly client: NbdClient;
  close(): Promise<void>;
}

/** A target that can be written. */
export interface OpenDeltaWriter {
  readonly writer: DeltaWriter;
  close(): Promise<void>;
}

/**
 * Opens a target in place, through QEMU and its locks: a disk that a running VM holds is refused.
 *
 * @throws {AppError} DISK_SOURCE_BUSY, DISK_OPEN_FAILED, DISK_SERVER_FAILED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openDeltaTarget(
  target: DeltaTarget,
  params: { readonly writable: boolean; readonly workDir: string; readonly signal: AbortSignal },
): Promise<OpenDeltaTarget> {
  const { writable, signal } = params;
  const server = await serveNbd({
    ...params,
    blockdev: fileBlockdev(target.path, target.format, { readOnly: !writable }),
    connections: 1,
  });
  try {
    const { socketPath, exportName } = server;
    const client = await connectNbd({ socketPath, exportName, signal });
    return {
      client,
      close: async () => {
        await client.close();
        await server.close();
      },
    };
  } catch (cause) {
    await server.close();
    throw cause;
  }
}

/**
 * Opens a target to be written in place. The data of a raw file goes straight into it, past the page cache where it can, while
 * QEMU holds its locks and makes the zeros; what QEMU keeps of a raw file is the page cache's, so both see the same bytes.
 *
 * @throws {AppError} as `openDeltaTarget`, DISK_IO_FAILED
 */
export async function openDeltaWriter(
  target: DeltaTarget,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<OpenDeltaWriter> {
  const opened = await openDeltaTarget(target, { ...params, writable: true });
  const { client } = opened;
  if (target.format !== 'raw') return { writer: client, close: () => opened.close() };
  try {
    const handle = await changeFile('open', target.path, () => open(target.path, 'r+'));
    const data = createDataWriter(handle, target.path);
    return {
      writer: {
        sizeBytes: client.sizeBytes,
        write: (offset, bytes) => data.write(offset, bytes),
        writeZeros: (offset, length) => client.writeZeros(offset, length),
        flush: async () => {
          await changeFile('flush', target.path, () => handle.datasync());
          await client.flush();
        },
      },
      close: async () => {
        await data.close();
        await handle.close();
        await opened.close();
      },
    };
  } catch (cause) {
    await opened.close();
    throw cause;
  }
}
