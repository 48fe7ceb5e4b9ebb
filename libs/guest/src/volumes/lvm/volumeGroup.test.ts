import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../byteSource.ts';
import { parseMetadataText } from './metadataText.ts';
import { lvmChecksum, readPhysicalVolume } from './physicalVolume.ts';
import { mapperName, readVolumeGroup } from './volumeGroup.ts';

/** A metadata text as LVM writes it, with one logical volume of the given segment body. */
function textWith(segment: string, status = '["READ", "WRITE", "VISIBLE"]'): string {
  return `vg0 {
id = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg"
seqno = 7
extent_size = 8192		# 4 Megabytes
physical_volumes {
pv0 { id = "pv0000-0000-0000-0000-0000-0000-000000"
device = "/dev/sda2" # hint \\only
pe_start = 2048
pe_count = 100 } }
logical_volumes {
root { id = "x" status = ${status} segment_count = 1
segment1 { start_extent = 0 extent_count = 10
${segment} } } } }
contents = "Text Format Volume Group"
`;
}

describe('readVolumeGroup', () => {
  it('reads group, extents and stripes', () => {
    expect(readVolumeGroup(textWith('type = "striped" stripe_count = 1 stripes = ["pv0", 3]'))).toEqual({
      id: 'aaaaaabbbbccccddddeeeeffffgggggg',
      name: 'vg0',
      sequence: 7,
      volumes: [
        {
          deviceName: 'vg0-root',
          sizeBytes: 40 * 1024 * 1024,
          kind: null,
          segments: [
            {
              sizeBytes: 40 * 1024 * 1024,
              stripeBytes: 0,
              stripes: [{ pvId: 'pv000000000000000000000000000000', offsetBytes: 13 * 1024 * 1024 }],
            },
          ],
        },
      ],
    });
  });

  it.each([
    ['type = "thin" thin_pool = "pool" transaction_id = 0 device_id = 1', 'thin'],
    ['type = "raid1" device_count = 2 raids = ["root_rmeta_0", "root_rimage_0"]', 'raid1'],
    ['type = "cache+CACHE_USES_CACHEVOL" cache_pool = "pool"', 'cache+CACHE_USES_CACHEVOL'],
    ['type = "snapshot" chunk_size = 8 origin = "a" cow_store = "b"', 'snapshot'],
    ['type = "striped" stripe_count = 1 stripes = ["pv9", 0]', 'damaged'],
    ['type = "striped" stripe_count = 1 stripes = ["pv0", -4]', 'damaged'],
    ['type = "striped" stripe_count = 2 stripe_size = 0 stripes = ["pv0", 0, "pv0", 9]', 'damaged'],
    ['type = "striped" stripe_count = 1', 'damaged'],
  ])('names what is not linear or striped: %s', (segment, kind) => {
    expect(readVolumeGroup(textWith(segment))?.volumes).toMatchObject([{ kind, segments: null }]);
  });

  it('leaves hidden volumes out', () => {
    const segment = 'type = "striped" stripe_count = 1 stripes = ["pv0", 3]';
    expect(readVolumeGroup(textWith(segment, '["READ", "WRITE"]'))?.volumes).toEqual([]);
  });

  it.each(['', 'vg0 {', 'vg0 }', '../x { extent_size = 1 }', 'vg0 { extent_size = 0 }', 'a = [ { ]', '\0'])(
    'is not led astray by %j',
    (text) => {
      expect(readVolumeGroup(text)).toBeNull();
    },
  );

  it('comes to an end for any text and any nesting', () => {
    expect(parseMetadataText('a {'.repeat(100_000))).toBeNull();
    const words = fc.constantFrom('a', '{', '}', '=', '[', ']', ',', '"x"', '1', '#\n', ' ', '"');
    fc.assert(
      fc.property(fc.array(words), (parts) => {
        const parsed = parseMetadataText(parts.join(' '));
        expect(parsed === null || parsed.values instanceof Map).toBe(true);
      }),
    );
  });
});

describe('mapperName', () => {
  it.each([
    ['vg0', 'root', 'vg0-root'],
    ['my-vg', 'data-1', 'my--vg-data--1'],
  ])('doubles the dashes inside of %s and %s', (group, volume, name) => {
    expect(mapperName(group, volume)).toBe(name);
  });
});

/** A physical volume whose ring of metadata is 1536 bytes long and holds `text` from `start` on. */
function volumeWith(text: string, start: number): Buffer {
  const disk = Buffer.alloc(8192);
  const [area, ringBytes, bytes] = [4096, 2048, Buffer.from(`${text}\0`)];
  disk.write('LABELONE', 512, 'latin1');
  disk.writeUInt32LE(32, 532);
  disk.write('LVM2 001', 536, 'latin1');
  disk.write('pv000000000000000000000000000000', 544, 'latin1');
  // No data areas, one metadata area.
  disk.writeBigUInt64LE(BigInt(area), 600);
  disk.writeBigUInt64LE(BigInt(ringBytes), 608);
  disk.write(' LVM2 x[5A%r0N*>', area + 4, 'latin1');
  disk.writeBigUInt64LE(BigInt(start), area + 40);
  disk.writeBigUInt64LE(BigInt(bytes.length), area + 48);
  disk.writeUInt32LE(lvmChecksum(bytes), area + 56);
  const first = Math.min(bytes.length, ringBytes - start);
  bytes.copy(disk, area + start, 0, first);
  bytes.copy(disk, area + 512, first);
  return disk;
}

describe('readPhysicalVolume', () => {
  it.each([512, 1000, 2000])('reads metadata at %i of its ring, around its end as well', async (start) => {
    const text = textWith('type = "striped" stripe_count = 1 stripes = ["pv0", 3]');
    const volume = await readPhysicalVolume(memorySource(volumeWith(text, start)));
    expect(volume).toEqual({ id: 'pv000000000000000000000000000000', metadata: text });
  });

  it('does not throw for any bytes behind a label', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 600, maxLength: 4096 }), async (bytes) => {
        const disk = Buffer.from(bytes);
        disk.write('LABELONE', 0, 'latin1');
        disk.writeUInt32LE(32, 20);
        disk.write('LVM2 001', 24, 'latin1');
        expect((await readPhysicalVolume(memorySource(disk)))?.id.length).toBe(32);
      }),
    );
  });

  it('sees no label on a few bytes', async () => {
    expect(await readPhysicalVolume(memorySource(Buffer.from('LABEL')))).toBeNull();
  });
});
