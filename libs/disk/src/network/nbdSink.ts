import { AppError } from '@ascend/errors';
import { connectNbd, type ConnectNbdParams, type NbdClient } from '../nbd/client.ts';
import type { DiskSink } from '../sink.ts';
import { checkSinkRange } from '../sinks/writtenCells.ts';
import type { OpenedNetworkSink } from './httpRangeSink.ts';
import { createZeroKeeper } from './zeroKeeper.ts';

const alignmentBytes = 512;

/** Which export of a block server to write. */
export interface OpenNbdSinkParams {
  /** How it is reached, as for `connectNbd`. */
  readonly connect: ConnectNbdParams;
  /** Size of the disk; the export may be larger (what is behind is left alone) but not smaller. */
  readonly sizeBytes: number;
  /**
   * true: the export is known to read as zeros, e.g. a volume that was just made. Default false: then every zero is written, and what
   * was never named is zeroed by `finish`.
   */
  readonly fresh?: boolean;
  /** true: the export holds what an earlier attempt wrote, and that counts. Whoever resumes knows that from its checkpoint. */
  readonly resume?: boolean;
}

function refuse(client: NbdClient, sizeBytes: number): AppError | null {
  if (client.readOnly)
    return new AppError({
      code: 'DISK_OUTPUT_REJECTED',
      message: 'open block target: the export is read-only',
    });
  if (client.sizeBytes >= sizeBytes) return null;
  return new AppError({
    code: 'DISK_TARGET_TOO_SMALL',
    message: `open block target: the export has ${client.sizeBytes} bytes, the disk ${sizeBytes}`,
    details: { targetSizeBytes: client.sizeBytes, sourceSizeBytes: sizeBytes },
  });
}

/**
 * A disk written to a block server. A device has no name to publish and cannot be removed: `finish` flushes, `abort` closes and leaves
 * undefined content behind, and only the caller knows which of the two it was.
 *
 * @throws {AppError} DISK_TARGET_TOO_SMALL, DISK_OUTPUT_REJECTED - read-only; DISK_NBD_DISCONNECTED, DISK_NBD_TIMEOUT, DISK_NBD_PROTOCOL,
 * OPERATION_CANCELLED; calls of the sink add DISK_IO_FAILED, DISK_SPACE_EXHAUSTED, DISK_RANGE_INVALID
 */
export async function openNbdSink(params: OpenNbdSinkParams): Promise<OpenedNetworkSink> {
  const { sizeBytes } = params;
  const kept = params.resume ?? false;
  const client = await connectNbd(params.connect);
  const refusal = refuse(client, sizeBytes);
  if (refusal !== null) {
    await client.close();
    throw refusal;
  }
  const keeper = createZeroKeeper({ sizeBytes, fresh: params.fresh ?? false, kept });
  let isOver = false;
  const close = async (): Promise<void> => {
    isOver = true;
    await client.close();
  };
  const sink: DiskSink = {
    alignmentBytes,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, data.length);
      keeper.wrote(offset, data.length);
      await client.write(offset, data);
    },
    writeZeros: async (offset, length) => {
      checkSinkRange({ sizeBytes, alignmentBytes }, offset, length);
      for (const range of keeper.toZero(offset, length))
        await client.writeZeros(range.offsetBytes, range.lengthBytes);
    },
    flush: () => client.flush(),
    finish: async () => {
      if (isOver) return;
      for (const range of keeper.neverNamed()) await client.writeZeros(range.offsetBytes, range.lengthBytes);
      await client.flush();
      await close();
    },
    abort: close,
    suspend: async () => {
      if (isOver) return;
      // A connection that is already cut has nothing left to flush; what was confirmed before stays.
      await client.flush().catch(() => undefined);
      await close();
    },
  };
  return { sink, kept };
}
