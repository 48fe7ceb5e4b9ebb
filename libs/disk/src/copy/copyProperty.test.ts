import { createHash } from 'node:crypto';
import path from 'node:path';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, withTempFolder, type ImageWrite } from '../testing/images.ts';
import { createMemorySink, createMemorySource, type MemorySink } from '../testing/memoryEnds.ts';
import { copyDisk, type CopyDiskParams } from './copyDisk.ts';

const sectors = 40 * 1024; // 20 MiB

const write = fc
  .tuple(
    fc.nat(sectors - 1),
    fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 6000 })),
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 255 }) }, fc.constant<'zero'>('zero')),
  )
  .map(([at, length, fill]): ImageWrite => ({ offsetBytes: at * 512, lengthBytes: length * 512, fill }));

const layer = fc.record({
  writes: fc.array(write, { maxLength: 8 }),
  sectors: fc.integer({ min: 1, max: sectors }),
  options: fc.constantFrom(
    'cluster_size=64k',
    'cluster_size=4k',
    'cluster_size=64k,extended_l2=on',
    'cluster_size=1M',
  ),
});

/** A stack of layers of different sizes, cluster sizes and contents; each write is cut to its layer. */
async function makeStack(
  folder: string,
  layers: readonly { writes: ImageWrite[]; sectors: number; options: string }[],
) {
  for (const [index, { writes, sectors: size, options }] of layers.entries()) {
    const sizeBytes = size * 512;
    const cut = writes
      .filter(({ offsetBytes }) => offsetBytes < sizeBytes)
      .map(({ offsetBytes, lengthBytes, fill }) => ({
        offsetBytes,
        lengthBytes: Math.min(lengthBytes, sizeBytes - offsetBytes),
        fill,
      }));
    await makeImage({
      path: path.join(folder, `l${index}.qcow2`),
      format: 'qcow2',
      sizeBytes,
      options,
      writes: cut,
      ...(index === 0 ? {} : { backing: path.join(folder, `l${index - 1}.qcow2`) }),
    });
  }
  return path.join(folder, `l${layers.length - 1}.qcow2`);
}

test('any stack of layers is copied to raw and QCOW2 as the same disk with the same digest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(layer, { minLength: 1, maxLength: 3 }),
      fc.nat(300),
      async (layers, extraSectors) => {
        await withTempFolder(async (folder) => {
          const top = await makeStack(folder, layers);
          const chain = await openChain({ rootPath: folder, path: top, format: 'qcow2' });
          const targetSizeBytes = chain.virtualSizeBytes + extraSectors * 512;
          const digests: (string | null)[] = [];
          for (const format of ['raw', 'qcow2'] as const) {
            const finalPath = path.join(folder, `out.${format}`);
            const { sink } = await openFileSink({
              finalPath,
              format,
              sizeBytes: targetSizeBytes,
              resume: false,
              workDir: folder,
            });
            const result = await copyDisk({
              image: { chain, overlays: [] },
              sink,
              targetSizeBytes,
              workDir: folder,
              signal: new AbortController().signal,
              bandwidthBytesPerSecond: null,
              resumeFromBytes: 0,
              onProgress: () => undefined,
              onConfirmed: () => Promise.resolve(),
            });
            await sink.finish();
            digests.push(result.sha256);
            expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, top, finalPath)).toContain(
              'identical',
            );
          }
          expect(digests[0]).toBe(digests[1]);
        });
      },
    ),
    { numRuns: 12 },
  );
});

const mib = 1024 * 1024;

const part = fc.record({
  kind: fc.constantFrom('data' as const, 'data' as const, 'zero' as const, 'hole' as const),
  lengthBytes: fc
    .oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 6000 }))
    .map((n) => n * 512),
  // Data may be zeros too.
  fill: fc.integer({ min: 0, max: 3 }),
});

type Fault = { readonly at: 'read' | 'write' | 'flush' | 'cancel'; readonly nth: number } | null;
const fault = fc.option(
  fc.record({
    at: fc.constantFrom('read' as const, 'write' as const, 'flush' as const, 'cancel' as const),
    nth: fc.nat(30),
  }),
);

function digestOf(disk: Buffer): string {
  const outer = createHash('sha256');
  for (let at = 0; at < disk.length; at += mib) {
    outer.update(
      createHash('sha256')
        .update(disk.subarray(at, at + mib))
        .digest(),
    );
  }
  return outer.digest('hex');
}

/** How often the calls of a sink left something out. */
function gapsOf(sink: MemorySink): number {
  let next = 0;
  let gaps = 0;
  for (const call of sink.calls) {
    if (call.offsetBytes !== next) gaps += 1;
    next = call.offsetBytes + call.lengthBytes;
  }
  return gaps;
}

/** Waits for some rounds of the event loop, another number for each offset: things happen in any order. */
function jitter(seed: number): (offsetBytes: number) => Promise<void> {
  return async (offsetBytes) => {
    const rounds = ((offsetBytes / 512 + 1) * (seed * 2 + 1)) % 7;
    for (let round = 0; round < rounds; round += 1) await nextTick();
  };
}

/** Copies with one planted fault; returns what was confirmed and the error, if any. */
async function attempt(
  parts: Parameters<typeof createMemorySource>[0],
  sink: MemorySink,
  planted: Fault,
  seed: number,
  more: Partial<CopyDiskParams>,
) {
  const counts = { read: 0, write: 0, flush: 0, cancel: 0 };
  const error = new AppError({ code: 'DISK_IO_FAILED', message: 'planted' });
  const strike = (at: keyof typeof counts): boolean => {
    counts[at] += 1;
    return planted?.at === at && counts[at] > planted.nth;
  };
  const source = createMemorySource(parts, async (offset) => {
    await jitter(seed)(offset);
    if (strike('read')) throw error;
  });
  const faulty: MemorySink = {
    ...sink,
    write: async (offset, data) => {
      const writing = sink.write(offset, data);
      if (strike('write')) {
        await writing;
        throw error;
      }
      await writing;
    },
    flush: async () => {
      if (strike('flush')) throw error;
      await sink.flush();
    },
  };
  const stop = new AbortController();
  const confirmed: number[] = [];
  let nowMs = 0;
  const copying = copyDisk({
    source,
    sink: faulty,
    targetSizeBytes: sink.bytes.length,
    workDir: '/nowhere',
    signal: stop.signal,
    bandwidthBytesPerSecond: null,
    resumeFromBytes: 0,
    onProgress: () => {
      if (strike('cancel')) stop.abort();
    },
    onConfirmed: async (offset) => {
      await nextTick();
      confirmed.push(offset);
    },
    // Makes a confirmation due at almost every look.
    clock: { now: () => (nowMs += 1000), sleep: () => nextTick() },
    stallAfterMs: null,
    ...more,
  });
  const [outcome] = await Promise.allSettled([copying]);
  const failure: unknown = outcome.status === 'rejected' ? outcome.reason : null;
  return { source, confirmed, outcome, failure };
}

test('any disk reaches any sink in order or in none, and after any fault what was confirmed is there and a resume ends identical', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 12 }),
      fc.record({
        ordered: fc.boolean(),
        alignmentBytes: fc.constantFrom(512, 65_536),
        extra: fc.nat(5000),
        seed: fc.nat(5),
        poolMib: fc.integer({ min: 1, max: 5 }),
        readsInFlight: fc.integer({ min: 1, max: 20 }),
        hashing: fc.boolean(),
        planted: fault,
      }),
      async (parts, { ordered, alignmentBytes, extra, seed, poolMib, readsInFlight, hashing, planted }) => {
        const sourceBytes = parts.reduce((sum, one) => sum + one.lengthBytes, 0);
        const sizeBytes = sourceBytes + extra * 512;
        const open = (): MemorySink =>
          createMemorySink({
            sizeBytes,
            ordered,
            alignmentBytes,
            delay: (call) => jitter(seed + 1)(call.offsetBytes),
          });
        const digest = hashing ? ('sha256' as const) : ('none' as const);
        const more = { digest, poolBytes: poolMib * mib, readsInFlight };
        let sink = open();
        // Left over from an earlier attempt: what the copy does not write must not shine through.
        if (!ordered) sink.bytes.fill(0xee);
        const first = await attempt(parts, sink, planted, seed, more);
        const expected = Buffer.concat([first.source.bytes, Buffer.alloc(extra * 512)]);
        expect(first.confirmed).toEqual(first.confirmed.toSorted((a, b) => a - b));
        expect(first.source.mostReads()).toBeLessThanOrEqual(Math.min(poolMib, readsInFlight) * 8);
        // Nothing was left out: behind a block that failed no other was written.
        expect(ordered ? gapsOf(sink) : 0).toBe(0);
        const confirmed = first.confirmed.at(-1) ?? 0;
        const failed = first.failure !== null;
        const codes = {
          cancel: 'OPERATION_CANCELLED',
          read: 'DISK_IO_FAILED',
          write: 'DISK_IO_FAILED',
          flush: 'DISK_IO_FAILED',
        };
        const code = planted === null ? 'none' : codes[planted.at];
        expect(failed ? first.failure : { code }).toMatchObject({ code });
        expect(sink.bytes.subarray(0, confirmed).equals(expected.subarray(0, confirmed))).toBe(true);
        expect(failed && ordered ? confirmed : 0).toBe(0);
        if (failed && ordered) sink = open();
        const last = failed
          ? await attempt(parts, sink, null, seed + 1, { ...more, resumeFromBytes: confirmed })
          : first;
        expect(last.outcome).toMatchObject({
          status: 'fulfilled',
          value: { sha256: hashing ? digestOf(first.source.bytes) : null },
        });
        expect(last.confirmed.at(-1) ?? confirmed).toBe(sizeBytes);
        expect(sink.bytes.equals(expected)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});
