import { expect, it } from 'vitest';
import type { OpenedSink, TargetSession } from '../connector.ts';
import { pattern, suiteDiskBytes, type SuiteWorld } from './suiteWorld.ts';

const signal = new AbortController().signal;
const blockBytes = 65_536;

/** Sinks: bytes kept, adoption, resume, refusal, removal. */
export function describeDisks(world: SuiteWorld): void {
  const jobId = 'disk-job';
  const open = (session: TargetSession, name: string, resume: boolean): Promise<OpenedSink> =>
    session.openSink({ name, jobId, disk: world.disk(), resume, signal });
  const ownedNames = async (): Promise<string[]> =>
    (await world.withSession((session) => session.findOwned(jobId, signal))).map((entry) => entry.name);

  it('keeps the bytes of overlapping writes in any order, and zeros where none were written', async () => {
    const ref = await world.withSession(async (session) => {
      const { sink, ref } = await open(session, 'ascend-disk-job-bytes', false);
      expect(blockBytes % sink.alignmentBytes).toBe(0);
      const blocks = [7, 2, 5];
      await Promise.all(blocks.map((block) => sink.write(block * blockBytes, pattern(block, blockBytes))));
      await sink.write(5 * blockBytes, pattern(99, blockBytes));
      await sink.writeZeros(2 * blockBytes, blockBytes / 2);
      await sink.finish();
      return ref;
    });
    const bytes = await world.harness().readDisk(ref, 0, suiteDiskBytes);
    const expected = new Uint8Array(suiteDiskBytes);
    expected.set(pattern(7, blockBytes), 7 * blockBytes);
    expected.set(pattern(99, blockBytes), 5 * blockBytes);
    expected.set(pattern(2, blockBytes).subarray(blockBytes / 2), 2.5 * blockBytes);
    expect(Buffer.from(bytes).equals(expected)).toBe(true);
  });

  it('adopts the finished disk of an earlier attempt, and only when asked to resume', async () => {
    const name = 'ascend-disk-job-adopt';
    await world.makeDisk(jobId, name);
    await world.withSession(async (session) => {
      const again = await open(session, name, true);
      expect(again).toMatchObject({ alreadyFinished: true, kept: true });
      await again.sink.finish();
      const fresh = await open(session, name, false);
      expect(fresh).toMatchObject({ alreadyFinished: false, kept: false });
      await fresh.sink.finish();
      expect(await world.harness().readDisk(fresh.ref, 0, 4096)).toEqual(new Uint8Array(4096));
    });
    expect((await ownedNames()).filter((entry) => entry === name)).toHaveLength(1);
  });

  it('goes on after a cut with what was flushed, in a new session', async () => {
    if (!world.harness().connector.capabilities.resumableTransfer) return;
    const name = 'ascend-disk-job-resume';
    await world.withSession(async (session) => {
      const { sink, kept } = await open(session, name, true);
      expect(kept).toBe(false);
      await sink.write(0, pattern(3, blockBytes));
      await sink.flush();
      await sink.suspend();
    });
    const ref = await world.withSession(async (session) => {
      const opened = await open(session, name, true);
      expect(opened).toMatchObject({ alreadyFinished: false, kept: true });
      await opened.sink.write(blockBytes, pattern(4, blockBytes));
      await opened.sink.finish();
      return opened.ref;
    });
    const bytes = await world.harness().readDisk(ref, 0, 2 * blockBytes);
    expect(Buffer.from(bytes).equals(Buffer.concat([pattern(3, blockBytes), pattern(4, blockBytes)]))).toBe(
      true,
    );
  });

  it('lists an unfinished disk as ours and removes it', async () => {
    const name = 'ascend-disk-job-half';
    await world.withSession(async (session) => {
      const { sink } = await open(session, name, false);
      await sink.write(0, pattern(5, blockBytes));
      await sink.suspend();
    });
    expect(await ownedNames()).toContain(name);
    await world.withSession((session) => session.destroy({ kind: 'disk', name, token: null }, signal));
    expect(await ownedNames()).not.toContain(name);
  });

  it('leaves nothing behind after an abort', async () => {
    const name = 'ascend-disk-job-abort';
    await world.withSession(async (session) => {
      const { sink } = await open(session, name, false);
      await sink.write(0, pattern(6, blockBytes));
      await sink.abort();
      await sink.abort();
    });
    expect(await ownedNames()).not.toContain(name);
  });

  it('refuses a disk for which there is no space, and leaves nothing behind', async () => {
    const name = 'ascend-disk-job-space';
    await world.withSession(async (session) => {
      const facts = await session.inventory(signal);
      const free = facts.storages.find((entry) => entry.name === world.harness().storage)?.freeBytes ?? 0;
      const disk = world.disk(Math.ceil((free * 2) / 512) * 512);
      await expect(session.openSink({ name, jobId, disk, resume: false, signal })).rejects.toMatchObject({
        code: 'TARGET_STORAGE_FULL',
      });
    });
    expect(await ownedNames()).not.toContain(name);
  });

  it('calls it success to destroy what is not there, with a token or without', async () => {
    const name = 'ascend-disk-job-never';
    const token = { diskIndex: 0, name, token: null };
    await world.withSession(async (session) => {
      await session.destroy({ kind: 'disk', name, token: null }, signal);
      await session.destroy({ kind: 'disk', name, token }, signal);
    });
    const ref = await world.makeDisk(jobId, name);
    await world.withSession(async (session) => {
      await session.destroy({ kind: 'disk', name, token: ref }, signal);
      await session.destroy({ kind: 'disk', name, token: ref }, signal);
    });
    expect(await ownedNames()).not.toContain(name);
  });

  it('creates nothing once the signal has fired', async () => {
    const name = 'ascend-disk-job-cancel';
    await world.withSession(async (session) => {
      const params = { name, jobId, disk: world.disk(), resume: false, signal: AbortSignal.abort() };
      await expect(session.openSink(params)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    });
    expect(await ownedNames()).not.toContain(name);
  });
}
