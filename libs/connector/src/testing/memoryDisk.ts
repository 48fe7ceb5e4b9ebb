import { createHash } from 'node:crypto';
import type { DiskSink } from '@ascend/disk';
import type { FaultScript } from './faultScript.ts';

const pageBytes = 65_536;

/** A sparse disk in memory: only pages that were written take space. */
export interface MemoryDisk {
  readonly name: string;
  readonly jobId: string;
  readonly diskIndex: number;
  readonly storage: string;
  readonly sizeBytes: number;
  readonly state: 'writing' | 'finished';
  /** A copy of a range; what was never written reads as zeros. */
  read(offsetBytes: number, lengthBytes: number): Uint8Array;
  write(offsetBytes: number, data: Uint8Array): void;
  finish(): void;
  /** Bytes held in memory. */
  allocatedBytes(): number;
}

function eachPage(
  offset: number,
  length: number,
  visit: (page: number, inPage: number, done: number, count: number) => void,
): void {
  let done = 0;
  while (done < length) {
    const at = offset + done;
    const inPage = at % pageBytes;
    const count = Math.min(pageBytes - inPage, length - done);
    visit(Math.floor(at / pageBytes), inPage, done, count);
    done += count;
  }
}

/** An empty disk in state `writing`. */
export function createMemoryDisk(params: {
  readonly name: string;
  readonly jobId: string;
  readonly diskIndex: number;
  readonly storage: string;
  readonly sizeBytes: number;
}): MemoryDisk {
  const pages = new Map<number, Uint8Array>();
  let state: MemoryDisk['state'] = 'writing';

  return {
    ...params,
    get state() {
      return state;
    },
    read: (offset, length) => {
      const result = new Uint8Array(length);
      eachPage(offset, length, (page, inPage, done, count) => {
        const bytes = pages.get(page);
        if (bytes !== undefined) result.set(bytes.subarray(inPage, inPage + count), done);
      });
      return result;
    },
    write: (offset, data) => {
      if (offset + data.length > params.sizeBytes) {
        throw new RangeError(
          `write ${params.name}: ${offset} + ${data.length} is beyond ${params.sizeBytes} bytes`,
        );
      }
      eachPage(offset, data.length, (page, inPage, done, count) => {
        const bytes = pages.get(page) ?? new Uint8Array(pageBytes);
        bytes.set(data.subarray(done, done + count), inPage);
        pages.set(page, bytes);
      });
    },
    finish: () => {
      state = 'finished';
    },
    allocatedBytes: () => pages.size * pageBytes,
  };
}

const digestBlockBytes = 1024 * 1024;

/** The disk digest by its definition: SHA-256 (hex) over the SHA-256 of each 1 MiB block, the last one short. */
export function digestOf(disk: MemoryDisk): string {
  const outer = createHash('sha256');
  for (let at = 0; at < disk.sizeBytes; at += digestBlockBytes) {
    const block = disk.read(at, Math.min(digestBlockBytes, disk.sizeBytes - at));
    outer.update(createHash('sha256').update(block).digest());
  }
  return outer.digest('hex');
}

/** A sink that writes into a memory disk under a fault script. `remove` takes the disk off its platform. */
export function createMemorySink(params: {
  readonly disk: MemoryDisk;
  readonly script: FaultScript;
  readonly signal: AbortSignal;
  readonly remove: () => void;
}): DiskSink {
  const { disk, script, signal } = params;
  return {
    alignmentBytes: 512,
    resumable: true,
    ordered: false,
    write: async (offset, data) => {
      await script.perform('write', signal, (fault) => {
        disk.write(offset, fault === 'cut' ? data.subarray(0, data.length >> 1) : data);
      });
    },
    writeZeros: async (offset, length) => {
      await script.perform('write', signal, () => {
        for (let done = 0; done < length; done += pageBytes) {
          const count = Math.min(pageBytes, length - done);
          // A hole stays a hole: only what holds bytes is overwritten.
          if (disk.read(offset + done, count).some((byte) => byte !== 0)) {
            disk.write(offset + done, new Uint8Array(count));
          }
        }
      });
    },
    flush: async () => {
      await script.perform('flush', signal, () => undefined);
    },
    finish: async () => {
      await script.perform('finish', null, () => disk.finish());
    },
    abort: async () => params.remove(),
    suspend: async () => undefined,
  };
}
