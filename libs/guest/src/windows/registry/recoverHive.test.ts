import { describe, expect, test } from 'vitest';
import { buildHive } from '../../testing/phonyWindows/index.ts';
import { openHive } from './hive.ts';
import { headerChecksum } from './hiveHeader.ts';
import { logSeed } from './logEntries.ts';
import { marvin32 } from './marvin32.ts';
import { recoverHive } from './recoverHive.ts';
import { readDword } from './registryValue.ts';

function hiveWith(start: number, sequence = 7): Buffer {
  return buildHive(
    { 'ControlSet001\\Services\\storahci': { Start: { type: 'REG_DWORD', data: start } } },
    sequence,
  );
}

function startOf(bytes: Buffer): number | null {
  return readDword(openHive(bytes).key('ControlSet001\\Services\\storahci'), 'Start');
}

function seal(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(headerChecksum(bytes), 508);
  return bytes;
}

/** A hive whose last flush did not end: what a backup of a running guest holds. */
function dirty(bytes: Buffer, primary: number): Buffer {
  const result = Buffer.from(bytes);
  result.writeUInt32LE(primary, 4);
  return seal(result);
}

/** One log entry that replaces all bins, as Windows 8.1 and later write it. */
function entryOf(bytes: Buffer, sequence: number): Buffer {
  const bins = bytes.subarray(4096);
  const entry = Buffer.alloc(Math.ceil((48 + bins.length) / 512) * 512);
  entry.write('HvLE', 0, 'latin1');
  entry.writeUInt32LE(entry.length, 4);
  entry.writeUInt32LE(sequence, 12);
  entry.writeUInt32LE(bins.length, 16);
  entry.writeUInt32LE(1, 20);
  entry.writeUInt32LE(0, 40);
  entry.writeUInt32LE(bins.length, 44);
  bins.copy(entry, 48);
  entry.writeBigUInt64LE(marvin32(entry.subarray(40), logSeed), 24);
  entry.writeBigUInt64LE(marvin32(entry.subarray(0, 32), logSeed), 32);
  return entry;
}

function logOf(base: Buffer, entries: readonly Buffer[]): Buffer {
  const head = Buffer.from(base.subarray(0, 512));
  head.writeUInt32LE(6, 28);
  return Buffer.concat([seal(head), ...entries]);
}

describe('changes a running guest had only logged', () => {
  test('the checksum of log entries agrees with published results', () => {
    // Vectors of the .NET runtime's tests of Marvin32.
    expect(marvin32(Buffer.alloc(0), 0x4fb61a001bdbccn)).toBe(0x30ed35c100cd3c7dn);
    expect(marvin32(Buffer.from([0xaf]), 0x4fb61a001bdbccn)).toBe(0x48e73fc77d75ddc1n);
  });

  test('a flushed hive stays as it is, whatever its logs hold', () => {
    const bytes = hiveWith(3);
    const result = recoverHive(bytes, [logOf(bytes, [entryOf(hiveWith(0), 8)])]);
    expect(result.state).toBe('clean');
    expect(startOf(result.bytes)).toBe(3);
  });

  test('entries of both logs are put in place in order, and the hive is clean afterwards', () => {
    const bytes = dirty(hiveWith(3), 8);
    const logs = [logOf(bytes, [entryOf(hiveWith(0), 9)]), logOf(bytes, [entryOf(hiveWith(2), 8)])];
    const result = recoverHive(bytes, logs);
    expect([result.state, result.transactions, startOf(result.bytes)]).toStrictEqual(['recovered', 2, 0]);
    expect(openHive(result.bytes).header).toMatchObject({
      dirty: false,
      primarySequence: 9,
      secondarySequence: 9,
    });
    expect(startOf(bytes)).toBe(3);
  });

  test('an entry that was torn, and those after a gap, are left out', () => {
    const bytes = dirty(hiveWith(3), 8);
    const torn = entryOf(hiveWith(0), 9);
    torn.writeUInt8(torn.readUInt8(200) ^ 1, 200);
    const afterTorn = recoverHive(bytes, [logOf(bytes, [entryOf(hiveWith(2), 8), torn])]);
    const afterGap = recoverHive(bytes, [logOf(bytes, [entryOf(hiveWith(2), 8), entryOf(hiveWith(0), 10)])]);
    expect([startOf(afterTorn.bytes), startOf(afterGap.bytes)]).toStrictEqual([2, 2]);
  });

  test('a dirty hive without a log that fits is told to be unrecoverable', () => {
    const bytes = dirty(hiveWith(3), 8);
    expect(recoverHive(bytes, []).state).toBe('unrecoverable');
    expect(recoverHive(bytes, [logOf(bytes, [entryOf(hiveWith(0), 5)]), Buffer.alloc(2048)]).state).toBe(
      'unrecoverable',
    );
  });

  test('a torn base block is taken from the log', () => {
    const bytes = hiveWith(3);
    const log = logOf(dirty(bytes, 8), [entryOf(hiveWith(0), 8)]);
    bytes.writeUInt32LE(0xdead, 100);
    const result = recoverHive(bytes, [log]);
    expect([result.state, startOf(result.bytes)]).toStrictEqual(['recovered', 0]);
  });

  test('the log of Windows 7 is put in place page by page', () => {
    const bytes = dirty(hiveWith(3), 8);
    const changed = hiveWith(0);
    const pages = (changed.length - 4096) / 512;
    const head = Buffer.from(bytes.subarray(0, 512));
    head.writeUInt32LE(1, 28);
    head.writeUInt32LE(8, 8);
    const vector = Buffer.alloc(512);
    vector.write('DIRT', 0, 'latin1');
    vector.fill(0xff, 4, 4 + pages / 8);
    const log = Buffer.concat([seal(head), vector, changed.subarray(4096)]);
    const result = recoverHive(bytes, [log]);
    expect([result.state, startOf(result.bytes)]).toStrictEqual(['recovered', 0]);
  });
});
