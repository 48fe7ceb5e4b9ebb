import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { buildVhdFooter, geometryOf, newVhdFooter, parseVhdFooter } from './vhdFooter.ts';
import { maxVhdBytes, vhdSizeBytes } from './vhdSize.ts';

const mib = 1024 ** 2;

describe('footer of a VHD', () => {
  test('is read back as it was built', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 40 }),
        fc.constantFrom('fixed', 'dynamic'),
        (sectors, type) => {
          const footer = newVhdFooter(type, sectors * 512);
          expect(parseVhdFooter(buildVhdFooter(footer))).toEqual(footer);
        },
      ),
    );
  });

  test('with any single byte changed before the reserved end is refused or says the change', () => {
    const footer = newVhdFooter('fixed', 64 * mib);
    const bytes = buildVhdFooter(footer);
    for (let at = 0; at < 512; at += 1) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] ?? 0) ^ 0x10;
      expect(typeof parseVhdFooter(broken)).toBe('string');
    }
  });

  test('has the fields that qemu-img writes for an exact size, apart from who and when', async () => {
    await withTempFolder(async (folder) => {
      const file = path.join(folder, 'q.vhd');
      await makeImage({
        path: file,
        format: 'vpc',
        sizeBytes: 64 * mib,
        options: 'subformat=fixed,force_size=on',
      });
      const theirs = (await readFile(file)).subarray(64 * mib);
      const ours = buildVhdFooter(newVhdFooter('fixed', 64 * mib));
      expect(typeof parseVhdFooter(theirs)).toBe('object');
      expect(ours.subarray(0, 24).equals(theirs.subarray(0, 24))).toBe(true);
      expect(ours.subarray(36, 56).equals(theirs.subarray(36, 56))).toBe(true);
      expect(ours.subarray(84).equals(theirs.subarray(84))).toBe(true);
    });
  });
});

describe('geometry field', () => {
  test.each([
    // Without force_size qemu-img sizes the disk by the same algorithm and writes its geometry.
    { sizeBytes: 4 * mib },
    { sizeBytes: 64 * mib },
    { sizeBytes: 41_994_240 },
    { sizeBytes: 700 * mib },
    { sizeBytes: 20 * 1024 * mib },
    { sizeBytes: 120 * 1024 * mib },
  ])('of $sizeBytes bytes is the one of qemu-img for the disk it makes of it', async ({ sizeBytes }) => {
    await withTempFolder(async (folder) => {
      const file = path.join(folder, 'q.vhd');
      await makeImage({ path: file, format: 'vpc', sizeBytes });
      const handle = await open(file);
      const footer = Buffer.alloc(512);
      await handle.read(footer, 0, 512, 0);
      await handle.close();
      const theirs = {
        cylinders: footer.readUInt16BE(56),
        heads: footer.readUInt8(58),
        sectors: footer.readUInt8(59),
      };
      expect(geometryOf(theirs.cylinders * theirs.heads * theirs.sectors * 512)).toEqual(theirs);
    });
  });

  test('never holds more than the disk, and ends at its largest value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 33 }), (sectors) => {
        const { cylinders, heads, sectors: perTrack } = geometryOf(sectors * 512);
        expect(cylinders * heads * perTrack).toBeLessThanOrEqual(sectors);
        expect(cylinders).toBeLessThanOrEqual(65_535);
        expect(heads).toBeLessThanOrEqual(16);
      }),
    );
    expect(geometryOf(maxVhdBytes)).toEqual({ cylinders: 65_535, heads: 16, sectors: 255 });
  });
});

describe('size of a VHD', () => {
  test.each([
    { asked: 41_994_240, roundToMiB: false, size: 41_994_240 },
    { asked: 41_994_240, roundToMiB: true, size: 41 * mib },
    { asked: 64 * mib, roundToMiB: true, size: 64 * mib },
    { asked: 64 * mib + 1, roundToMiB: false, size: 64 * mib + 512 },
    { asked: maxVhdBytes, roundToMiB: true, size: maxVhdBytes },
  ])('for $asked bytes (whole MiB: $roundToMiB) is $size', ({ asked, roundToMiB, size }) => {
    expect(vhdSizeBytes(asked, { roundToMiB })).toBe(size);
  });

  test('above 2040 GiB is refused', () => {
    expect(() => vhdSizeBytes(maxVhdBytes + 1)).toThrow(
      expect.objectContaining({ code: 'DISK_FORMAT_LIMIT' }),
    );
  });
});
