import { availableParallelism } from 'node:os';
import { constants, createDeflate, type Deflate } from 'node:zlib';
import { toAppError } from '@ascend/errors';
import { grainBytes, sectorBytes } from './sparseExtent.ts';
import { storedStream, storedStreamBytes } from './storedStream.ts';

/** Bytes of a grain's marker: 64-bit sector of the disk, 32-bit length of the compressed data. */
export const grainMarkerBytes = 12;
const zeroGrain = Buffer.alloc(grainBytes);

/** True when all bytes of a grain (or of the shorter one at the end of the disk) are zero. */
export function isZeroGrain(grain: Uint8Array): boolean {
  if (grain[0] !== 0 || grain[grain.length >> 1] !== 0) return false;
  return Buffer.compare(grain, zeroGrain.subarray(0, grain.length)) === 0;
}

const sampleStep = 4096;
const sampleRun = 256;
const counts = new Uint32Array(256);
// Sum of squared byte counts of 4096 random bytes: n + n·(n-1)/256.
const randomSum = 4096 + (4096 * 4095) / 256;
const incompressibleSum = randomSum * 1.15;

/**
 * Will deflate gain nothing? Looks at the byte frequencies of 4 KiB, taken in 16 pieces from the whole grain. A wrong answer costs size or
 * time, never content.
 */
export function isIncompressible(grain: Uint8Array): boolean {
  if (grain.length < grainBytes) return false;
  counts.fill(0);
  for (let piece = 0; piece < grainBytes; piece += sampleStep) {
    for (let at = piece; at < piece + sampleRun; at += 1) {
      const value = grain[at] ?? 0;
      counts[value] = (counts[value] ?? 0) + 1;
    }
  }
  let sum = 0;
  for (const count of counts) sum += count * count;
  return sum <= incompressibleSum;
}

/** One zlib state that is used again for grain after grain: setting one up costs a tenth of the work. */
interface Engine {
  deflate(grain: Uint8Array): Promise<Uint8Array[]>;
  close(): void;
}

function createEngine(level: number): Engine {
  const stream: Deflate = createDeflate({
    level,
    // Largest tables: 10 % less time than the default and the same size.
    memLevel: 9,
    // Every write is a whole stream of its own, in one trip to the thread pool.
    flush: constants.Z_FINISH,
    chunkSize: 2 * grainBytes,
  });
  let parts: Uint8Array[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  // The failure is given to the write it belongs to; without a listener it would end the process.
  stream.on('error', () => undefined);
  return {
    deflate: (grain) =>
      new Promise((resolve, reject) => {
        parts = [];
        stream.write(grain, (cause) => {
          // Closed meanwhile: the binding is gone, and nobody waits.
          if (cause || stream.destroyed) {
            reject(toAppError(cause ?? new Error('the coder was closed'), 'deflate grain'));
            return;
          }
          // What the stream still holds goes to the listener above.
          while (stream.read() !== null);
          stream.reset();
          resolve(parts);
        });
      }),
    close: () => stream.destroy(),
  };
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

/** Compresses grains on the thread pool. */
export interface GrainCoder {
  /** Grains worth coding at a time. */
  readonly parallel: number;
  /** The zlib stream of a whole grain, in pieces that may lie in the grain itself: it must not change before they are used. */
  encode(grain: Uint8Array): Promise<readonly Uint8Array[]>;
  /** Ends the zlib states; what is under way is rejected. */
  close(): void;
}

/**
 * A coder of zlib level 1…9. Grains that do not get smaller are stored, which every inflater reads.
 */
export function createGrainCoder(level: number): GrainCoder {
  const engines: Engine[] = [];
  const free: Engine[] = [];
  const take = (): Engine => {
    const engine = free.pop() ?? createEngine(level);
    if (!engines.includes(engine)) engines.push(engine);
    return engine;
  };
  return {
    // More than there are cores, so that none waits for the main thread.
    parallel: Math.min(16, 4 * availableParallelism()),
    encode: async (grain) => {
      let whole = grain;
      if (grain.length < grainBytes) {
        whole = Buffer.alloc(grainBytes);
        whole.set(grain);
      }
      if (isIncompressible(whole)) return storedStream(whole);
      const engine = take();
      const parts = await engine.deflate(whole);
      free.push(engine);
      return lengthOf(parts) < storedStreamBytes ? parts : storedStream(whole);
    },
    close: () => {
      for (const engine of engines) engine.close();
    },
  };
}

/** Sectors that a coded grain takes in the file, its marker included. */
export function codedSectors(parts: readonly Uint8Array[]): { sectors: number; codedBytes: number } {
  const codedBytes = lengthOf(parts);
  return { sectors: Math.ceil((grainMarkerBytes + codedBytes) / sectorBytes), codedBytes };
}
