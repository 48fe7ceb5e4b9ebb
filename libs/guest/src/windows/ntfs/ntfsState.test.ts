import { truncate, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { giveToUnprivileged } from '../../apply/volumeExport.ts';
import { memorySource } from '../../byteSource.ts';
import { mountNtfs } from './mountNtfs.ts';
import { findAttribute, firstRunOffset, readNtfsGeometry, readSystemRecord } from './ntfsRecord.ts';
import { readNtfsState } from './ntfsState.ts';

/** A restart page of an NTFS log that a running system has open. */
function restartPage(flags: number, clientInUse: number, logBytes = 2 * 1024 * 1024): Buffer {
  const page = Buffer.alloc(4096);
  page.write('RSTR', 0, 'latin1');
  page.writeUInt16LE(30, 4);
  page.writeUInt16LE(9, 6);
  page.writeUInt32LE(4096, 16);
  page.writeUInt32LE(4096, 20);
  page.writeUInt16LE(48, 24);
  page.writeUInt16LE(1, 26);
  page.writeUInt16LE(1, 28);
  page.writeUInt16LE(1, 30);
  page.writeUInt16LE(1, 48 + 8);
  page.writeUInt16LE(0xffff, 48 + 10);
  // The bits of sequence numbers depend on the size of the log.
  page.writeUInt32LE(67 - Math.ceil(Math.log2(logBytes + 1)), 48 + 16);
  page.writeUInt16LE(48 + 160, 48 + 20);
  page.writeUInt16LE(48, 48 + 22);
  page.writeUInt32LE(logBytes, 48 + 24);
  page.writeUInt16LE(48, 48 + 36);
  page.writeUInt16LE(64, 48 + 38);
  page.writeUInt32LE(0xffff_ffff, 96 + 16);
  page.writeUInt32LE(8, 96 + 28);
  page.write('NTFS', 96 + 32, 'utf16le');
  page.writeUInt16LE(clientInUse, 48 + 12);
  page.writeUInt16LE(flags, 48 + 14);
  for (let sector = 1; sector < 9; sector += 1) page.writeUInt16LE(1, sector * 512 - 2);
  return page;
}

interface LogPlace {
  readonly at: number;
  readonly bytes: number;
}

async function logPlace(volume: Buffer): Promise<LogPlace> {
  const source = memorySource(volume);
  const geometry = await readNtfsGeometry(source);
  const data = findAttribute(await readSystemRecord(source, geometry, 2), 0x80);
  if (data === null) throw new Error('no log');
  return { at: firstRunOffset(data, geometry.clusterBytes) ?? 0, bytes: data.readUInt32LE(48) };
}

describe('the state of an NTFS volume', () => {
  let fresh = Buffer.alloc(0);
  let flagged = Buffer.alloc(0);

  beforeAll(async () => {
    await withTempFolder(async (folder) => {
      const path = join(folder, 'volume');
      await writeFile(path, '');
      await truncate(path, 4 * 1024 * 1024);
      await runProcess({ program: 'mkntfs', args: ['-F', '-Q', '-q', path] });
      fresh = await readFile(path);
      // Marks the volume for a check at the next boot.
      await runProcess({ program: 'ntfsfix', args: [path] });
      flagged = await readFile(path);
    });
  });

  test('a fresh volume is clean, one marked for a check is dirty', async () => {
    expect(await readNtfsState(memorySource(fresh))).toStrictEqual({
      dirty: false,
      logClosed: true,
      encrypted: false,
    });
    expect(await readNtfsState(memorySource(flagged))).toStrictEqual({
      dirty: true,
      logClosed: true,
      encrypted: false,
    });
  });

  test.each([
    ['in use', 0, 0, false],
    ['marked clean', 2, 0, true],
    ['without a client', 0, 0xffff, true],
  ])('a log %s is told', async (_title, flags, client, closed) => {
    const volume = Buffer.from(fresh);
    const { at } = await logPlace(volume);
    restartPage(flags, client).copy(volume, at);
    restartPage(flags, client).copy(volume, at + 4096);
    expect((await readNtfsState(memorySource(volume))).logClosed).toBe(closed);
  });

  test('BitLocker is told by its boot sector', async () => {
    const volume = Buffer.from(fresh);
    volume.write('-FVE-FS-', 3, 'latin1');
    expect(await readNtfsState(memorySource(volume))).toStrictEqual({
      dirty: null,
      logClosed: null,
      encrypted: true,
    });
  });

  test('any damage makes a volume dirty at worst', async () => {
    const mutation = fc.record({
      at: fc.nat({ max: 24_000 }),
      byte: fc.nat({ max: 255 }),
      width: fc.constantFrom(1, 2, 8),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 10 }), async (mutations) => {
        const volume = Buffer.from(fresh.subarray(0, 2 * 1024 * 1024));
        for (const { at, byte, width } of mutations) volume.fill(byte, at, at + width);
        const found = await readNtfsState(memorySource(volume));
        expect(typeof found.encrypted).toBe('boolean');
      }),
      { numRuns: 60 },
    );
  });

  test('a volume whose log is open is not mounted for writing unless told', async () => {
    await withTempFolder(async (workDir) => {
      const volume = Buffer.from(fresh);
      const { at, bytes } = await logPlace(volume);
      for (const page of [at, at + 4096]) restartPage(0, 0, bytes).copy(volume, page);
      const path = join(workDir, 'volume');
      await writeFile(path, volume);
      await giveToUnprivileged(path);
      const params = { volumePath: path, workDir, signal: AbortSignal.timeout(60_000) };
      await expect(mountNtfs({ ...params, acceptDirty: false })).rejects.toMatchObject({
        code: 'GUEST_FILE_SYSTEM_DIRTY',
      });
      const mount = await mountNtfs({ ...params, acceptDirty: true });
      await mount.unmount();
      expect((await readNtfsState(memorySource(await readFile(path)))).logClosed).toBe(true);
    });
  });
});
