import { expect, test } from 'vitest';
import type { ByteOutput } from '../output.ts';
import { withTempFolder } from './images.ts';

/** One kind of output under test. */
export interface ByteOutputContractParams {
  readonly name: string;
  /** Opens the output below `folder`; `lengthBytes` is what will be written, for kinds that must know. */
  readonly open: (folder: string, lengthBytes: number) => Promise<ByteOutput>;
  /** What stands under the final name; null when nothing does. */
  readonly read: (folder: string) => Promise<Buffer | null>;
  /** True when the far side still holds parts of an unfinished or removed output. Default: never. */
  readonly hasLeftovers?: (folder: string) => Promise<boolean>;
}

const mib = 1024 * 1024;

function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + (at >> 8) * 17 + seed) & 0xff;
  return bytes;
}

async function writeAll(output: ByteOutput, pieces: readonly Buffer[]): Promise<Buffer> {
  const scratch = Buffer.alloc(3 * mib);
  for (const piece of pieces) {
    // One buffer for all pieces: an output that keeps it after the promise is settled mixes them up.
    piece.copy(scratch);
    await output.write(scratch.subarray(0, piece.length));
    scratch.fill(0xee);
  }
  return Buffer.concat(pieces);
}

/** Declares the tests that every byte output passes: content, buffer reuse, nothing before finish, abort, both ends twice. */
export function declareByteOutputContract(params: ByteOutputContractParams): void {
  const { name, open, read } = params;
  const sizes = [1, 0, 511, 512, mib, 3, 64 * 1024, 64 * 1024 - 1, 3 * mib, 2 * mib + 7, 20];
  const pieces = sizes.map((size, index) => pattern(size, index));
  const total = sizes.reduce((sum, size) => sum + size, 0);

  test(`${name}: pieces of all sizes arrive in order, and their buffer may be reused`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, total);
      const expected = await writeAll(output, pieces);
      await output.finish();
      expect((await read(folder))?.equals(expected)).toBe(true);
    });
  });

  test(`${name}: nothing has the final name before finish, and finish may be called twice`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, mib + 1);
      await output.write(pattern(mib, 1));
      expect(await read(folder)).toBeNull();
      await output.write(pattern(1, 1));
      await output.finish();
      await output.finish();
      expect((await read(folder))?.length).toBe(mib + 1);
    });
  });

  test(`${name}: abort leaves nothing, and may be called twice`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, 4 * mib);
      await output.write(pattern(2 * mib, 1));
      await output.abort();
      await output.abort();
      expect(await read(folder)).toBeNull();
      expect((await params.hasLeftovers?.(folder)) ?? false).toBe(false);
    });
  });

  test(`${name}: abort before the first write leaves nothing`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, mib);
      await output.abort();
      expect(await read(folder)).toBeNull();
      expect((await params.hasLeftovers?.(folder)) ?? false).toBe(false);
    });
  });

  test(`${name}: what was aborted cannot be finished`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, 10);
      await output.write(pattern(10, 1));
      await output.abort();
      await expect(output.finish()).rejects.toMatchObject({ name: 'AppError' });
      expect(await read(folder)).toBeNull();
    });
  });

  test(`${name}: abort after finish keeps what is complete`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, 1000);
      await output.write(pattern(1000, 5));
      await output.finish();
      await output.abort();
      expect((await read(folder))?.equals(pattern(1000, 5))).toBe(true);
    });
  });

  test(`${name}: an empty stream is an empty object`, async () => {
    await withTempFolder(async (folder) => {
      const output = await open(folder, 0);
      await output.finish();
      expect((await read(folder))?.length).toBe(0);
    });
  });
}
