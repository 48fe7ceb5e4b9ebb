import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VolumeFacts } from '@ascend/domain';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileSource, type OpenByteSource } from '../../byteSource.ts';
import { makeLvmGroup } from '../../testing/lvmGroup.ts';
import { readLayout } from '../volumeFacts.ts';

const mib = 1024 * 1024;
// Metadata of LVM2 takes the first MiB.
const dataStart = mib;
let folder: string;
let disks: OpenByteSource[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-lvm-'));
  disks = [];
});
afterEach(async () => {
  for (const disk of disks) await disk.close();
  await rm(folder, { recursive: true });
});

/** Disks of 64 MiB, every MiB filled with its own number (disk 1 counts from 100), as physical volumes of `my-vg`. */
async function groupOf(diskCount: number, commands: readonly string[]): Promise<void> {
  const areas = [];
  for (let index = 0; index < diskCount; index += 1) {
    const path = join(folder, `disk-${index}.raw`);
    const file = await open(path, 'w');
    for (let at = 0; at < 64; at += 1) {
      await file.write(Buffer.alloc(mib, at === 0 ? 0 : index * 100 + at), 0, mib, at * mib);
    }
    await file.close();
    areas.push({ path, offsetBytes: 0, sizeBytes: 64 * mib });
  }
  const words = commands.map((command) => command.split(' '));
  await makeLvmGroup({ folder, group: 'my-vg', areas, commands: words });
  for (const { path } of areas) disks.push(await openFileSource(path));
}

/** The number that stands in each MiB of a volume. */
async function contents(
  count = disks.length,
): Promise<ReadonlyMap<string, { readonly facts: VolumeFacts; readonly mibs: readonly number[] }>> {
  const sources = disks.slice(0, count).map((source, diskIndex) => ({ diskIndex, source }));
  const layout = await readLayout(sources);
  const found = new Map<string, { facts: VolumeFacts; mibs: number[] }>();
  for (const [index, facts] of layout.volumes.entries()) {
    const source = layout.sources[index];
    const mibs: number[] = [];
    for (let at = 0; at < (source?.sizeBytes ?? 0); at += mib) {
      mibs.push((await source?.read(at, 1))?.readUInt8(0) ?? -1);
    }
    if (facts.name !== undefined) found.set(facts.name, { facts, mibs });
  }
  return found;
}

function upTo(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

describe.runIf(process.getuid?.() === 0)('readLayout on volume groups that LVM made', () => {
  it('reads linear volumes, with the name of their device', async () => {
    await groupOf(1, ['lvcreate -L 20M -n root my-vg', 'lvcreate -L 4M -n data-1 my-vg']);
    const found = await contents();
    expect([...found.keys()]).toEqual(['my--vg-root', 'my--vg-data--1']);
    expect(found.get('my--vg-root')?.mibs).toEqual(upTo(1, 20));
    expect(found.get('my--vg-data--1')?.facts).toMatchObject({
      diskIndex: 0,
      offsetBytes: dataStart + 20 * mib,
      sizeBytes: 4 * mib,
      partition: null,
      segments: [{ diskIndex: 0, offsetBytes: dataStart + 20 * mib, sizeBytes: 4 * mib }],
    });
  });

  it('follows several segments over several disks', async () => {
    await groupOf(2, [
      'lvcreate -L 20M -n root my-vg pv0',
      'lvcreate -L 10M -n other my-vg pv0',
      'lvextend -L 60M my-vg/root',
    ]);
    const { facts, mibs } = (await contents()).get('my--vg-root')!;
    expect(mibs).toEqual([...upTo(1, 20), ...upTo(31, 63), ...upTo(101, 107)]);
    expect(facts.segments).toEqual([
      { diskIndex: 0, offsetBytes: dataStart, sizeBytes: 20 * mib },
      { diskIndex: 0, offsetBytes: dataStart + 30 * mib, sizeBytes: 33 * mib },
      { diskIndex: 1, offsetBytes: dataStart, sizeBytes: 7 * mib },
    ]);
  });

  it('makes one piece of segments that follow each other', async () => {
    await groupOf(1, ['lvcreate -L 5M -n root my-vg', 'lvextend -L 9M my-vg/root']);
    const { facts } = (await contents()).get('my--vg-root')!;
    expect(facts.segments).toEqual([{ diskIndex: 0, offsetBytes: dataStart, sizeBytes: 9 * mib }]);
  });

  it('reads striped volumes', async () => {
    await groupOf(2, ['lvcreate -i 2 -I 1M -L 6M -n fast my-vg']);
    expect((await contents()).get('my--vg-fast')?.mibs).toEqual([1, 101, 2, 102, 3, 103]);
  });

  it('names a volume whose disk is not there', async () => {
    await groupOf(2, ['lvcreate -L 5M -n root my-vg pv0', 'lvcreate -L 5M -n far my-vg pv1']);
    const found = await contents(1);
    expect(found.get('my--vg-root')?.mibs).toEqual(upTo(1, 5));
    expect(found.get('my--vg-far')?.facts).toMatchObject({
      content: 'unknown',
      segments: [],
      requires: 'appliance',
      requiresReason: 'a physical volume of it is not on the disks',
    });
  });

  it('does not believe metadata whose checksum is wrong', async () => {
    await groupOf(1, ['lvcreate -L 5M -n root my-vg']);
    const file = await open(join(folder, 'disk-0.raw'), 'r+');
    const head = Buffer.alloc(mib);
    await file.read(head, 0, mib, 0);
    const at = head.lastIndexOf('extent_count = 5');
    await file.write(Buffer.from('extent_count = 6'), 0, 16, at);
    await file.close();
    expect([...(await contents()).keys()]).toEqual([]);
  });
});
