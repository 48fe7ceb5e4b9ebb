import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { probeImage } from '../repository/probeImage.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import type { ByteReader } from './imageHeader.ts';
import { detectFormat, readImageHeader } from './readHeader.ts';

const mib = 1024 * 1024;

function memoryReader(bytes: Buffer): ByteReader {
  return {
    label: 'memory',
    sizeBytes: bytes.length,
    readAt: async (offset, length) => {
      await Promise.resolve();
      if (offset + length <= bytes.length) return bytes.subarray(offset, offset + length);
      throw new AppError({ code: 'DISK_IMAGE_TRUNCATED', message: 'read memory: behind the end' });
    },
  };
}

const variants: readonly (readonly [SourceFormat, string, string | undefined])[] = [
  ['qcow2', 'qcow2', undefined],
  ['qcow2', 'qcow2', 'compat=0.10'],
  ['vhd', 'vpc', 'subformat=dynamic'],
  ['vhd', 'vpc', 'subformat=fixed'],
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
  ['vhdx', 'vhdx', undefined],
  ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['vmdk', 'vmdk', 'subformat=monolithicFlat'],
  ['vmdk', 'vmdk', 'subformat=twoGbMaxExtentSparse'],
  ['raw', 'raw', undefined],
];

describe.each(variants)('a %s image (%s, %s)', (format, driver, options) => {
  const params = { format: driver, sizeBytes: 3 * mib, ...(options === undefined ? {} : { options }) };

  test('is recognised and has the size that qemu-img tells', async () => {
    await withTempFolder(async (folder) => {
      const filePath = path.join(folder, 'disk.img');
      await makeImage({ ...params, path: filePath });
      const facts = await probeImage(filePath);
      const told: unknown = JSON.parse(await qemuImg('info', '--output=json', '-f', driver, filePath));
      expect(facts.format).toBe(format);
      expect(told).toMatchObject({ 'virtual-size': facts.virtualSizeBytes });
      const chain = await openChain({ rootPath: folder, path: 'disk.img', format });
      expect(chain.virtualSizeBytes).toBe(facts.virtualSizeBytes);
    });
  });

  test('with random damage is read or refused with a code, never crashed on', async () => {
    await withTempFolder(async (folder) => {
      const filePath = path.join(folder, 'disk.img');
      await makeImage({ ...params, path: filePath });
      const whole = await readFile(filePath);
      // Damage where the headers are: the start, the tables of VHDX, the footer of VHD.
      const places = [0, 64, 512, 192 * 1024, 256 * 1024, 1024 * 1024, whole.length - 512];
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom(...places), fc.nat(600), fc.nat(255)), { maxLength: 12 }),
          fc.option(fc.nat(whole.length)),
          async (hits, cut) => {
            const bytes = Buffer.from(cut === null ? whole : whole.subarray(0, cut));
            for (const [place, distance, value] of hits) {
              if (place >= 0 && place + distance < bytes.length) bytes[place + distance] = value;
            }
            const reader = memoryReader(bytes);
            await detectFormat(reader);
            const answer: unknown = await readImageHeader(reader, format).then(
              () => 'DISK_READ',
              (cause: unknown) => (isAppError(cause) ? cause.code : cause),
            );
            expect(answer).toMatch(/^DISK_/);
          },
        ),
        { numRuns: 300 },
      );
    });
  });
});

test('a raw file of odd length counts whole sectors', async () => {
  await withTempFolder(async (folder) => {
    const filePath = path.join(folder, 'odd.raw');
    await writeFile(filePath, Buffer.alloc(1001, 1));
    expect((await probeImage(filePath)).virtualSizeBytes).toBe(1024);
  });
});

test('a raw disk whose guest wrote a QCOW2 header stays raw when it is recorded as raw', async () => {
  await withTempFolder(async (folder) => {
    const filePath = path.join(folder, 'evil.raw');
    await makeImage({ path: filePath, format: 'qcow2', sizeBytes: 64 * mib });
    const chain = await openChain({ rootPath: folder, path: 'evil.raw', format: 'raw' });
    expect(chain.layers[0]?.format).toBe('raw');
    expect(chain.virtualSizeBytes).toBeLessThan(mib);
  });
});

const descriptor = (extra: string): string =>
  `# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\n${extra}\n`;

test.each([
  ['an extent by absolute path', 'RW 2048 FLAT "/etc/hostname" 0', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['an extent by protocol', 'RW 2048 FLAT "nbd:unix:x" 0', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['an extent in the folder above', 'RW 2048 FLAT "../x" 0', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['an extent line with other blanks', '\tRW\t2048 FLAT\t"/etc/hostname" 0', 'DISK_HEADER_INVALID'],
  ['an extent of an unknown kind', 'RW 2048 SESPARSE "x.vmdk"', 'DISK_FORMAT_UNSUPPORTED'],
  ['a missing extent', 'RW 2048 FLAT "x-flat.vmdk" 0', 'DISK_BACKING_MISSING'],
  ['no extent', '', 'DISK_HEADER_INVALID'],
  ['a parent', 'parentFileNameHint="p.vmdk"\nRW 8 FLAT "x-flat.vmdk" 0', 'DISK_FORMAT_UNSUPPORTED'],
])('a VMDK descriptor with %s is refused', async (_, extra, code) => {
  await withTempFolder(async (folder) => {
    await writeFile(path.join(folder, 'x.vmdk'), descriptor(extra));
    await expect(openChain({ rootPath: folder, path: 'x.vmdk', format: 'vmdk' })).rejects.toMatchObject({
      code,
    });
  });
});

test('an EBS snapshot reference is no file', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(path.join(folder, 'snap'), 'x');
    await expect(openChain({ rootPath: folder, path: 'snap', format: 'ebs-snapshot' })).rejects.toMatchObject(
      {
        code: 'DISK_FORMAT_UNSUPPORTED',
      },
    );
  });
});
