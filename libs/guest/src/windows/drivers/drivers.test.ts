import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { isAppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { netkvmInf, viostorInf, writePhonyDrivers } from '../../testing/phonyWindows/index.ts';
import { chooseDriver } from './chooseDriver.ts';
import { readDriverFolder } from './driverFolder.ts';
import { driverPackageOf } from './driverPackage.ts';
import { openDriverSource } from './driverSource.ts';
import { parseInf } from './infFile.ts';
import { bestDecoration, type DriverTarget } from './infTarget.ts';

const server2019: DriverTarget = { arch: 'amd64', major: 10, minor: 0, build: 17_763, server: true };
const signature = '[Version]\nSignature="$Windows NT$"\n';
const disk = ['PCI\\VEN_1AF4&DEV_1001'];

/** `parsed`, or the code of the refusal; anything else that is thrown goes on. */
function outcome(text: string): string {
  try {
    driverPackageOf(parseInf(Buffer.from(signature + text), 'x.inf'), 'x.inf', server2019);
    return 'parsed';
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return cause.code;
  }
}

describe('INF files', () => {
  test.each([
    ['a comment inside of quotes stays', 'a = "x;y" ; gone', ['x;y']],
    ['a doubled quote is one', 'a = "say ""hi"""', ['say "hi"']],
    ['values are divided by commas outside of quotes', 'a = 1, "2,3" ,4', ['1', '2,3', '4']],
    ['a line goes on behind a backslash', 'a = 1,\\\n  2', ['1', '2']],
    ['empty values keep their place', 'a = 1,,3', ['1', '', '3']],
  ])('%s', (_title, line, values) => {
    const inf = parseInf(Buffer.from(`${signature}[S]\n${line}\n`), 'x.inf');
    expect(inf.sections.get('S')?.[0]).toStrictEqual({ key: 'a', values });
  });

  test('UTF-16 and UTF-8 files read the same, sections of one name are put together', () => {
    const text = `${signature}[S]\na=1\n[strings]\nN = "Größe"\n[s]\nb=2\n`;
    for (const bytes of [Buffer.from(`\ufeff${text}`, 'utf16le'), Buffer.from(`\ufeff${text}`, 'utf8')]) {
      const inf = parseInf(bytes, 'x.inf');
      expect(inf.sections.get('S')).toHaveLength(2);
      expect(inf.expand('%n% %unknown%')).toBe('Größe %unknown%');
    }
  });

  test('what is no INF for Windows is refused', () => {
    expect(() => parseInf(Buffer.from('[Version]\nClass=Net\n'), 'x.inf')).toThrow('no Windows signature');
    expect(() => parseInf(Buffer.alloc(9 * 1024 * 1024), 'x.inf')).toThrow('at most');
  });

  test('any bytes are parsed or refused as an invalid package', () => {
    const base = viostorInf('NTamd64.10.0', '1.2.3.4');
    const pieces = fc.array(
      fc.oneof(fc.constantFrom(...base.split(/(?=[,=[\]"%])/)), fc.string({ maxLength: 8 })),
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        expect(outcome(parts.join(''))).toMatch(/^(parsed|GUEST_DRIVER_PACKAGE_INVALID)$/);
      }),
      { numRuns: 150 },
    );
  });
});

describe('the Windows a driver is for', () => {
  const choices = [
    'NTx86.6.1',
    'NTamd64.6.1',
    'NTamd64.6.3',
    'NTamd64.10.0',
    'NTamd64.10.0...14310',
    'NTamd64.10.0...20348',
    'NTarm64.10.0',
  ];
  test.each([
    [{ major: 6, minor: 1, build: 7601 }, 'NTamd64.6.1'],
    [{ major: 6, minor: 2, build: 9200 }, 'NTamd64.6.1'],
    [{ major: 6, minor: 3, build: 9600 }, 'NTamd64.6.3'],
    [{ major: 10, minor: 0, build: 10_240 }, 'NTamd64.10.0'],
    [{ major: 10, minor: 0, build: 17_763 }, 'NTamd64.10.0...14310'],
    [{ major: 10, minor: 0, build: 26_100 }, 'NTamd64.10.0...20348'],
    [{ major: 6, minor: 0, build: 6002 }, null],
  ])('%j takes %s', (version, expected) => {
    expect(bestDecoration(choices, { ...server2019, ...version })).toBe(expected);
  });

  test('product types and architectures that do not fit are left out', () => {
    expect(bestDecoration(['NTamd64.10.0.1', 'NTamd64.6.1.3'], server2019)).toBe('NTamd64.6.1.3');
    expect(bestDecoration(['NTamd64.10.0.1'], { ...server2019, server: false })).toBe('NTamd64.10.0.1');
    expect(bestDecoration(['', 'NTarm64'], server2019)).toBeNull();
    expect(bestDecoration(['', 'NT.6.1'], { ...server2019, arch: 'x86' })).toBe('NT.6.1');
  });
});

describe('driver packages', () => {
  test('an INF tells its service, parameters, hardware ids and files for one Windows', () => {
    const found = driverPackageOf(
      parseInf(Buffer.from(viostorInf('NTamd64.10.0', '1.2.3.4')), 'v'),
      'viostor.inf',
      server2019,
    );
    expect(found?.service).toStrictEqual({
      name: 'viostor',
      type: 1,
      start: 0,
      errorControl: 1,
      group: 'SCSI miniport',
      binary: 'viostor.sys',
      parameters: [
        { key: 'Parameters\\PnpInterface', name: '5', value: { type: 'REG_DWORD', data: 1 } },
        { key: 'Parameters', name: 'BusType', value: { type: 'REG_DWORD', data: 1 } },
      ],
    });
    expect(found?.hardwareIds.map((id) => [id.id, id.exact])).toStrictEqual([
      ['PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00', true],
      ['PCI\\VEN_1AF4&DEV_1001', false],
      ['PCI\\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01', true],
      ['PCI\\VEN_1AF4&DEV_1042', false],
    ]);
    expect(found).toMatchObject({ version: '1.2.3.4', date: '01/12/2024', provider: 'Red Hat, Inc.' });
    expect(found?.files).toStrictEqual(['viostor.cat', 'viostor.sys']);
  });

  test('a service whose name or file could leave its place is not taken', () => {
    for (const text of [
      netkvmInf('NTamd64.10.0', '1').replace('= netkvm, 2', '= ..\\x, 2'),
      netkvmInf('NTamd64.10.0', '1').replace('%13%\\netkvm.sys', '"a&b.sys"'),
    ]) {
      expect(driverPackageOf(parseInf(Buffer.from(text), 'n'), 'n.inf', server2019)?.service).toBeNull();
    }
  });

  test.each([
    [{ major: 6, minor: 1, build: 7601, server: true }, 'viostor/2k8R2'],
    [{ major: 6, minor: 1, build: 7601, server: false }, 'viostor/w7'],
    [{ major: 6, minor: 3, build: 9600, server: true }, 'viostor/2k12R2'],
    [{ major: 10, minor: 0, build: 17_763, server: true }, 'viostor/2k19'],
    // No package of its own: the closest older one of the same kernel, never a newer one.
    [{ major: 10, minor: 0, build: 20_348, server: true }, 'viostor/2k19'],
    [{ major: 10, minor: 0, build: 26_100, server: true }, 'viostor/2k25'],
    [{ major: 10, minor: 0, build: 14_393, server: true }, null],
    [{ major: 6, minor: 2, build: 9200, server: true }, null],
  ])('for %j the package %s is chosen', async (version, expected) => {
    await withTempFolder(async (root) => {
      await writePhonyDrivers(root);
      const { driver, problem } = chooseDriver(await readDriverFolder(root), disk, {
        ...server2019,
        ...version,
      });
      expect(driver?.reason.split('/').slice(0, 2).join('/') ?? null).toBe(expected);
      const files = [...(driver?.files.keys() ?? [])].toSorted();
      expect(files).toStrictEqual(expected === null ? [] : ['viostor.cat', 'viostor.inf', 'viostor.sys']);
      expect(problem ?? 'none').toContain('none');
    });
  });

  test('a package that lacks a file is not used, a broken INF is a remark', async () => {
    await withTempFolder(async (root) => {
      await writePhonyDrivers(root);
      await rm(join(root, 'viostor/2k19/amd64/viostor.sys'));
      await writeFile(join(root, 'broken.inf'), 'nothing');
      const folder = await readDriverFolder(root);
      expect(folder.remarks).toHaveLength(1);
      expect(chooseDriver(folder, disk, server2019).problem).toContain('lacks viostor.sys');
    });
  });

  test('an ISO image is unpacked for one architecture and removed afterwards; what is no image is refused', async () => {
    await withTempFolder(async (root) => {
      await writePhonyDrivers(join(root, 'tree'));
      const path = join(root, 'virtio-win.iso');
      await runProcess({
        program: 'bsdtar',
        args: ['-c', '-f', path, '--format', 'iso9660', '-C', join(root, 'tree'), '.'],
      });
      const signal = AbortSignal.timeout(60_000);
      const source = await openDriverSource({ path, arch: 'amd64', workDir: root, signal });
      const { driver } = chooseDriver(await readDriverFolder(source.folder), disk, server2019);
      expect(driver?.package.version).toBe('100.95.104.26200');
      await source[Symbol.asyncDispose]();
      await expect(readDriverFolder(source.folder)).rejects.toMatchObject({
        code: 'GUEST_DRIVER_PACKAGE_INVALID',
      });
      const broken = openDriverSource({
        path: join(root, 'tree/viostor/w7/amd64/viostor.sys'),
        arch: 'amd64',
        workDir: root,
        signal,
      });
      await expect(broken).rejects.toMatchObject({ code: 'GUEST_DRIVER_PACKAGE_INVALID' });
    });
  });
});
