import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectNbd, openNbdSink } from '@ascend/disk';
import { startProcess, type RunningProcess } from '@ascend/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../system/ascendSystem.ts';

const mib = 1024 ** 2;
const sizeBytes = 16 * mib;

describe('our NBD sink on nbdkit', () => {
  let folder: string;
  let running: RunningProcess | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ascend-sink-'));
  });

  afterEach(async () => {
    await running?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A file that held another disk, served with these filters. */
  async function serve(...flags: readonly string[]): Promise<{ file: string; socketPath: string }> {
    const filters = flags.filter((flag) => flag.startsWith('--'));
    // Settings of filters stand behind the plugin.
    const settings = flags.filter((flag) => !flag.startsWith('--'));
    const file = join(folder, 'disk.raw');
    const socketPath = join(folder, 'kit.sock');
    await writeFile(file, Buffer.alloc(sizeBytes, 0x5a));
    running = startProcess({
      program: 'nbdkit',
      args: ['--foreground', '--unix', socketPath, ...filters, 'file', `file=${file}`, ...settings],
      dieWithParent: true,
    });
    await until('nbdkit answers', 10, async () => {
      await (await connectNbd({ socketPath })).close();
      return true;
    });
    return { file, socketPath };
  }

  it.each([
    ['with all its abilities', []],
    ['that cannot write zeros', ['--filter=nozero']],
    ['that works in blocks of 4 KiB', ['--filter=blocksize', 'minblock=4K']],
  ])('leaves exactly the disk on a server %s', async (_name, flags) => {
    const { file, socketPath } = await serve(...flags);
    const { sink } = await openNbdSink({ connect: { socketPath }, sizeBytes });
    await Promise.all([
      sink.write(5 * mib, Buffer.alloc(mib, 5)),
      sink.writeZeros(8 * mib, 2 * mib),
      sink.write(0, Buffer.alloc(512, 1)),
    ]);
    await sink.suspend();
    const again = await openNbdSink({ connect: { socketPath }, sizeBytes, resume: true });
    expect(again.kept).toBe(true);
    await again.sink.writeZeros(512, 5 * mib - 512);
    await again.sink.writeZeros(6 * mib, 10 * mib);
    await again.sink.finish();
    const expected = Buffer.alloc(sizeBytes);
    expected.fill(1, 0, 512);
    expected.fill(5, 5 * mib, 6 * mib);
    expect((await readFile(file)).equals(expected)).toBe(true);
  });

  it('passes on that a write failed, with what was written', async () => {
    const { socketPath } = await serve('--filter=error', 'error-pwrite=ENOSPC', 'error-pwrite-rate=100%');
    const { sink } = await openNbdSink({ connect: { socketPath }, sizeBytes });
    await expect(sink.write(mib, Buffer.alloc(mib, 1))).rejects.toMatchObject({
      code: 'DISK_SPACE_EXHAUSTED',
      details: { offsetBytes: mib },
    });
    await sink.abort();
  });
});
