import { AppError } from '@ascend/errors';
import { describe, expect, test } from 'vitest';
import type { ByteOutput } from '../output.ts';
import type { DiskSink } from '../sink.ts';

/** An output in memory that can be told to fail or to wait. */
export interface MemoryOutput extends ByteOutput {
  /** Everything written so far. */
  bytes(): Buffer;
  readonly calls: { writes: number; finishes: number; aborts: number };
}

/** How a memory output behaves. */
export interface MemoryOutputParams {
  /** The n-th write (from 0) fails; -1 fails at `finish`. */
  readonly failAt?: number;
  /** Every write waits for this. */
  readonly gate?: Promise<void>;
}

/** Keeps what it is given; overlapping writes are a failure of the test. */
export function createMemoryOutput({ failAt, gate }: MemoryOutputParams = {}): MemoryOutput {
  const parts: Buffer[] = [];
  const calls = { writes: 0, finishes: 0, aborts: 0 };
  let busy = false;
  const refuse = (call: number): void => {
    if (call !== failAt) return;
    throw new AppError({ code: 'DISK_SPACE_EXHAUSTED', message: `write memory: call ${call} fails` });
  };
  return {
    calls,
    bytes: () => Buffer.concat(parts),
    write: async (data) => {
      if (busy) throw new Error('two writes at a time');
      busy = true;
      calls.writes += 1;
      await gate;
      refuse(calls.writes - 1);
      parts.push(Buffer.from(data));
      busy = false;
    },
    finish: async () => {
      await Promise.resolve();
      calls.finishes += 1;
      refuse(-1);
    },
    abort: async () => {
      await Promise.resolve();
      calls.aborts += 1;
    },
  };
}

/** A sink that encodes into one stream of bytes. */
export interface EncoderContractParams {
  readonly name: string;
  readonly create: (output: ByteOutput, sizeBytes: number) => DiskSink;
}

const mib = 1024 * 1024;
const diskMib = 12;

/** Bytes that no encoder makes smaller, the same in each run. */
export function noise(lengthBytes: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(lengthBytes / 4));
  let state = seed + 1;
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = Math.imul(state ^ (state >>> 15), 2_246_822_519);
  }
  return Buffer.from(words.buffer, 0, lengthBytes);
}

/** Lets the event loop go round. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function writeAll(sink: DiskSink): Promise<void> {
  const writes = Array.from({ length: diskMib }, (_, at) => sink.write(at * mib, noise(mib, at)));
  await Promise.all(writes);
}

/** Declares what every encoder keeps to whatever its output does: errors reach the caller, a slow output slows it. */
export function declareEncoderContract({ name, create }: EncoderContractParams): void {
  describe(`${name}: the output`, () => {
    test('gets all bytes before finish returns, and finish only once it has them', async () => {
      const output = createMemoryOutput();
      const sink = create(output, diskMib * mib);
      await writeAll(sink);
      expect(output.calls.finishes).toBe(0);
      await sink.finish();
      expect(output.calls).toMatchObject({ finishes: 1, aborts: 0 });
      expect(output.bytes().length).toBeGreaterThan(diskMib * mib);
    });

    test('may fail at any call: its error is thrown, no later call succeeds, abort reaches it', async () => {
      const whole = createMemoryOutput();
      const good = create(whole, diskMib * mib);
      await writeAll(good);
      await good.finish();
      for (let failAt = -1; failAt < whole.calls.writes; failAt += 1) {
        const output = createMemoryOutput({ failAt });
        const sink = create(output, diskMib * mib);
        const code = 'DISK_SPACE_EXHAUSTED';
        await expect(writeAll(sink).then(() => sink.finish())).rejects.toMatchObject({ code });
        await expect(sink.finish()).rejects.toMatchObject({ code });
        await sink.abort();
        await sink.abort();
        expect(output.calls.aborts).toBeGreaterThan(0);
      }
    });

    test('slows the writer when it is slow', async () => {
      const gate = Promise.withResolvers<void>();
      const output = createMemoryOutput({ gate: gate.promise });
      const sink = create(output, diskMib * mib);
      let settled = 0;
      const writes = Array.from({ length: diskMib }, async (_, at) => {
        await sink.write(at * mib, noise(mib, at));
        settled += 1;
      });
      // The first blocks find room in buffers; the rest waits for the output.
      await writes[0];
      expect(settled).toBeLessThan(diskMib / 2);
      gate.resolve();
      await Promise.all(writes);
      await sink.finish();
    });

    test('is aborted while it hangs, and what waits is rejected', async () => {
      const gate = Promise.withResolvers<void>();
      const output = createMemoryOutput({ gate: gate.promise });
      const sink = create(output, diskMib * mib);
      const written = writeAll(sink).then(
        () => 'written',
        (cause: unknown) => cause,
      );
      // Far enough that more waits behind the write that hangs.
      while (output.calls.writes === 0) await turns(1);
      await turns(50);
      await sink.abort();
      expect(await written).toMatchObject({ code: 'OPERATION_CANCELLED' });
      const { writes } = output.calls;
      gate.resolve();
      // Nothing follows the abort, even when the hanging write comes back.
      await turns(50);
      expect(output.calls).toMatchObject({ aborts: 1, finishes: 0, writes });
    });
  });
}
