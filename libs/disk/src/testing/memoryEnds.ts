import { setImmediate as nextTick } from 'node:timers/promises';
import type { Extent } from '../extent.ts';
import type { DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';

/** A part of a disk in memory: what it is said to be, and the byte it is filled with (`data` may be zeros too). */
export interface MemoryExtent {
  readonly kind: Extent['kind'];
  readonly lengthBytes: number;
  readonly fill: number;
}

/** A disk in memory to copy from. */
export interface MemorySource extends DiskSource {
  readonly bytes: Buffer;
  /** Offsets that were read, in the order of the calls. */
  readonly reads: number[];
  /** Most reads at the same time. */
  readonly mostReads: () => number;
}

/** A source out of extents; `delay` is awaited in each read. */
export function createMemorySource(
  parts: readonly MemoryExtent[],
  delay: (offsetBytes: number) => Promise<void> = () => nextTick(),
): MemorySource {
  const sizeBytes = parts.reduce((sum, part) => sum + part.lengthBytes, 0);
  const bytes = Buffer.alloc(sizeBytes);
  const extents: Extent[] = [];
  let at = 0;
  for (const { kind, lengthBytes, fill } of parts) {
    if (kind === 'data') bytes.fill(fill, at, at + lengthBytes);
    extents.push({ offsetBytes: at, lengthBytes, kind });
    at += lengthBytes;
  }
  const reads: number[] = [];
  let [running, most] = [0, 0];
  return {
    bytes,
    reads,
    mostReads: () => most,
    sizeBytes,
    async *extents(offset, length) {
      const end = offset + length;
      for (const extent of extents) {
        const from = Math.max(offset, extent.offsetBytes);
        const to = Math.min(end, extent.offsetBytes + extent.lengthBytes);
        await Promise.resolve();
        if (to > from) yield { offsetBytes: from, lengthBytes: to - from, kind: extent.kind };
      }
    },
    readInto: async (offset, target) => {
      reads.push(offset);
      running += 1;
      most = Math.max(most, running);
      try {
        await delay(offset);
        bytes.copy(target, 0, offset, offset + target.length);
      } finally {
        running -= 1;
      }
    },
    assertUnchanged: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

interface MemoryCall {
  readonly kind: 'write' | 'zeros';
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A disk in memory to copy to. */
export interface MemorySink extends DiskSink {
  readonly bytes: Buffer;
  readonly calls: MemoryCall[];
  flushes(): number;
}

/** How a sink in memory behaves. */
export interface MemorySinkParams {
  readonly sizeBytes: number;
  readonly ordered: boolean;
  readonly resumable?: boolean;
  readonly alignmentBytes?: number;
  /** Awaited before a call takes effect; what it throws the call throws. The data is read only after it: a buffer reused too early shows. */
  readonly delay?: (call: MemoryCall) => Promise<void>;
}

async function nothing(): Promise<void> {
  await Promise.resolve();
}

/** A sink that keeps what it was given and, when ordered, refuses calls out of order. */
export function createMemorySink(params: MemorySinkParams): MemorySink {
  const { ordered, delay = () => nextTick() } = params;
  const bytes = Buffer.alloc(params.sizeBytes);
  const calls: MemoryCall[] = [];
  let position = 0;
  let flushes = 0;
  const take = async (call: MemoryCall, apply: () => void): Promise<void> => {
    if (ordered && call.offsetBytes < position) {
      throw new Error(`called at ${call.offsetBytes} after ${position}`);
    }
    position = call.offsetBytes + call.lengthBytes;
    calls.push(call);
    await delay(call);
    apply();
  };
  return {
    bytes,
    calls,
    flushes: () => flushes,
    alignmentBytes: params.alignmentBytes ?? 512,
    resumable: params.resumable ?? !ordered,
    ordered,
    write: (offsetBytes, data) =>
      take({ kind: 'write', offsetBytes, lengthBytes: data.length }, () => bytes.set(data, offsetBytes)),
    writeZeros: (offsetBytes, lengthBytes) =>
      take({ kind: 'zeros', offsetBytes, lengthBytes }, () =>
        bytes.fill(0, offsetBytes, offsetBytes + lengthBytes),
      ),
    flush: async () => {
      flushes += 1;
      await Promise.resolve();
    },
    finish: nothing,
    abort: nothing,
    suspend: nothing,
  };
}
