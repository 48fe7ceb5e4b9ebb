import { mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createByteCursor } from './byteCursor.ts';
import { encodeCpio, readCpio, type CpioEntry, type CpioFile } from './cpio.ts';

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function readAll(bytes: Buffer): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const cursor = createByteCursor(once(bytes), 64 * 1024 * 1024);
  for await (const entry of readCpio(cursor, () => true)) entries.push(entry);
  return entries;
}

const name = fc.stringMatching(/^[a-z][\w.-]{0,30}(?:\/[\w-]{1,20}){0,3}$/);
const file = fc.record({
  name,
  mode: fc.constantFrom(0o100644, 0o100755, 0o120777, 0o040755),
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});

describe('encodeCpio', () => {
  it('writes what readCpio reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file, { maxLength: 8 }), async (files) => {
        const entries = await readAll(encodeCpio(files));
        const seen = entries.map((entry) => ({ name: entry.name, mode: entry.mode, data: entry.data }));
        expect(seen).toEqual(files);
      }),
    );
  });

  it('writes what the cpio program unpacks', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ascend-cpio-'));
    try {
      const files: readonly CpioFile[] = [
        { name: 'etc', mode: 0o040755, data: Buffer.alloc(0) },
        { name: 'etc/script', mode: 0o755, data: Buffer.from('#!/bin/sh\n') },
        { name: 'etc/link', mode: 0o120777, data: Buffer.from('script') },
      ];
      await writeFile(join(folder, 'archive.cpio'), encodeCpio(files));
      const args = ['cpio', '-i', '-d', '-F', 'archive.cpio'];
      await runProcess({ program: 'busybox', args, cwd: folder });
      expect(await readFile(join(folder, 'etc/script'), 'utf8')).toBe('#!/bin/sh\n');
      expect((await stat(join(folder, 'etc/script'))).mode & 0o777).toBe(0o755);
      expect(await readlink(join(folder, 'etc/link'))).toBe('script');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('readCpio', () => {
  it('refuses a member name that is longer than any path', async () => {
    const bytes = encodeCpio([{ name: 'a'.repeat(5000), mode: 0o644, data: Buffer.alloc(0) }]);
    await expect(readAll(bytes)).rejects.toMatchObject({ code: 'GUEST_INITRAMFS_UNREADABLE' });
  });
});
