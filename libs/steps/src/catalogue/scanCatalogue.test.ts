import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { makeImage, withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { scanCatalogue } from './scanCatalogue.ts';
import { readVmSpecFile } from './specFile.ts';

const { signal } = new AbortController();

const webSpec: VmSpec = {
  name: 'web',
  cpuCount: 2,
  coresPerSocket: null,
  memoryBytes: 2 ** 30,
  firmware: 'uefi',
  secureBoot: false,
  tpm: false,
  disks: [{ diskIndex: 0, sizeBytes: 2 ** 20, bus: null, bootOrder: 0, vmwareDiskKey: 2000 }],
  nics: [{ nicIndex: 0, mac: '00:50:56:aa:bb:01', network: 'lan', model: null, addresses: ['10.0.0.5/24'] }],
  osId: null,
  notes: null,
  tags: { owner: 'größer 💾' },
};

async function putImage(root: string, relPath: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, relPath)), { recursive: true });
  await makeImage({ path: path.join(root, relPath), format: 'qcow2', sizeBytes: 2 ** 20 });
}

async function putSpec(root: string, relPath: string, spec: unknown = webSpec): Promise<void> {
  await writeFile(path.join(root, relPath), JSON.stringify(spec));
}

function own(root: string, name: string) {
  return { path: path.join(root, name), readers: [] };
}

/** Names of the VMs' specifications by VM, and what was left out by path. */
async function scanned(rootPath: string) {
  const { contexts, skipped } = await scanCatalogue({ rootPath, readers: [], signal });
  return {
    specs: Object.fromEntries(contexts.map(({ vmName, vmSpec }) => [vmName, vmSpec?.name ?? null])),
    skipped: Object.fromEntries(skipped.map(({ relPath, code }) => [relPath, code])),
  };
}

test('a VM folder with a specification beside the disks tells the whole VM', async () => {
  await withTempFolder(async (root) => {
    await putImage(root, 'ctx-web/disk-0/backup-web-disk0-20251008-192431.qcow2');
    await putImage(root, 'ctx-db/disk-0/backup-db-disk0-20251008-192431.qcow2');
    await putSpec(root, 'ctx-web/web.vmspec.json');
    await writeFile(path.join(root, 'ctx-db/db.ovf'), '<x/>');
    await writeFile(path.join(root, 'ctx-db/notes.json'), '{}');
    const scan = await scanCatalogue({ rootPath: root, readers: [], signal });
    expect(scan.contexts.find(({ vmName }) => vmName === 'web')?.vmSpec).toEqual(webSpec);
    expect(scan.contexts.find(({ vmName }) => vmName === 'db')).toMatchObject({
      vmSpec: null,
      sidecars: ['ctx-db/db.ovf', 'ctx-db/notes.json'],
    });
    expect(scan.skipped).toEqual([]);
    expect(await scanCatalogue({ rootPath: root, readers: [], signal })).toEqual(scan);
  });
});

test('in a folder of its own a VM may have a specification of any name, but only one', async () => {
  await withTempFolder(async (root) => {
    await putImage(root, 'ctx-web/disk-0/full.qcow2');
    await putSpec(root, 'ctx-web/disk-0/machine.vmspec.json');
    expect(await scanned(root)).toEqual({ specs: { web: 'web' }, skipped: {} });
    await putSpec(root, 'ctx-web/other.vmspec.json');
    expect(await scanned(root)).toEqual({
      specs: { web: null },
      skipped: {
        'ctx-web/disk-0/machine.vmspec.json': 'CATALOG_SPEC_AMBIGUOUS',
        'ctx-web/other.vmspec.json': 'CATALOG_SPEC_AMBIGUOUS',
      },
    });
    await putSpec(root, 'ctx-web/web.vmspec.json', { ...webSpec, name: 'named' });
    expect((await scanned(root)).specs).toEqual({ web: 'named' });
  });
});

test('beside several VMs a specification counts only for the VM it is named after', async () => {
  await withTempFolder(async (root) => {
    for (const vm of ['a', 'b']) await putImage(root, `pool/backup-${vm}-disk0-20251008-192431.qcow2`);
    await putImage(root, 'pool/loose.qcow2');
    await putSpec(root, 'pool/a.vmspec.json');
    await putSpec(root, 'pool/loose.vmspec.json', { ...webSpec, name: 'loose' });
    await putSpec(root, 'pool/c.vmspec.json');
    expect(await scanned(root)).toEqual({
      specs: { a: 'web', b: null, loose: 'loose' },
      skipped: { 'pool/c.vmspec.json': 'CATALOG_SPEC_AMBIGUOUS' },
    });
  });
});

const { memoryBytes: _, ...withoutMemory } = webSpec;

test.each([
  ['is no JSON', '{"name": '],
  ['is empty', ''],
  ['is a list', '[]'],
  ['is not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
  ['lacks a field', JSON.stringify(withoutMemory)],
  ['has a field that nobody knows', JSON.stringify({ ...webSpec, 'memory\u001b[31mbyte': 1 })],
  ['has a MAC address in another form', JSON.stringify(webSpec).replace('00:50:56:aa', '00-50-56-AA')],
  ['is nested without end', '['.repeat(200_000)],
  ['is larger than 1 MiB', `${JSON.stringify(webSpec)}${' '.repeat(1024 * 1024)}`],
])('a specification that %s is left out with its reason, the VM is not', async (_title, content) => {
  await withTempFolder(async (root) => {
    await putImage(root, 'ctx-web/disk-0/backup-web-disk0-20251008-192431.qcow2');
    await writeFile(path.join(root, 'ctx-web/web.vmspec.json'), content);
    const { contexts, skipped } = await scanCatalogue({ rootPath: root, readers: [], signal });
    expect(contexts).toMatchObject([{ vmName: 'web', vmSpec: null, backups: [{}] }]);
    expect(skipped).toMatchObject([{ relPath: 'ctx-web/web.vmspec.json', code: 'CATALOG_SPEC_INVALID' }]);
    expect(skipped[0]?.reason).not.toMatch(/\p{Cc}/u);
    expect(skipped[0]?.reason.length).toBeLessThan(800);
  });
});

test('links and pipes are never read, whatever they are called', async () => {
  await withTempFolder(async (outside) => {
    await putSpec(outside, 'secret.vmspec.json');
    await withTempFolder(async (root) => {
      for (const vm of ['a', 'b', 'c']) {
        await putImage(root, `ctx-${vm}/disk-0/backup-${vm}-disk0-20251008-192431.qcow2`);
      }
      await symlink(path.join(outside, 'secret.vmspec.json'), path.join(root, 'ctx-a/a.vmspec.json'));
      await symlink(outside, path.join(root, 'ctx-b/disk-1'));
      await runProcess({ program: 'mkfifo', args: [path.join(root, 'ctx-c/c.vmspec.json')] });
      expect(await scanned(root)).toEqual({
        specs: { a: null, b: null, c: null },
        skipped: {
          'ctx-a/a.vmspec.json': 'DISK_PATH_OUTSIDE_REPOSITORY',
          'ctx-b/disk-1': 'DISK_PATH_OUTSIDE_REPOSITORY',
        },
      });
      await expect(readVmSpecFile(own(root, 'ctx-c/c.vmspec.json'))).rejects.toMatchObject({
        code: 'CATALOG_SPEC_INVALID',
      });
    });
  });
});

test('specifications that are too much for one answer are left out beyond the limit', async () => {
  await withTempFolder(async (root) => {
    const names = Array.from({ length: 26 }, (_each, index) => `vm${String(index).padStart(2, '0')}`);
    const tags = Object.fromEntries(
      names.flatMap((_each, k) => Array.from({ length: 37 }, (_e, n) => [`t${k}-${n}`, 'x'.repeat(1000)])),
    );
    await makeImage({ path: path.join(root, 'vm00.qcow2'), format: 'qcow2', sizeBytes: 2 ** 20 });
    for (const name of names) {
      if (name !== 'vm00')
        await runProcess({
          program: 'cp',
          args: [path.join(root, 'vm00.qcow2'), path.join(root, `${name}.qcow2`)],
        });
      await putSpec(root, `${name}.vmspec.json`, { ...webSpec, tags });
    }
    const { contexts, skipped } = await scanCatalogue({ rootPath: root, readers: [], signal });
    expect(contexts).toHaveLength(26);
    expect(contexts.filter(({ vmSpec }) => vmSpec !== null).length).toBeGreaterThanOrEqual(23);
    expect(skipped.length).toBeGreaterThan(0);
    expect(new Set(skipped.map(({ code }) => code))).toEqual(new Set(['CATALOG_SCAN_LIMIT']));
  });
});

test('a specification given by hand is read by the same rules, and the reason names file and field', async () => {
  await withTempFolder(async (root) => {
    await putSpec(root, 'mine.json');
    await expect(readVmSpecFile(own(root, 'mine.json'))).resolves.toMatchObject({ spec: webSpec });
    await putSpec(root, 'mine.json', { ...webSpec, cpuCount: 0 });
    await expect(readVmSpecFile(own(root, 'mine.json'))).rejects.toMatchObject({
      code: 'CATALOG_SPEC_INVALID',
      message: expect.stringMatching(/mine\.json: 1 wrong fields: cpuCount: /) as unknown,
    });
    await expect(readVmSpecFile(own(root, 'none.json'))).rejects.toMatchObject({
      code: 'CATALOG_SPEC_INVALID',
    });
    await expect(readVmSpecFile(own(root, '.'))).rejects.toMatchObject({ code: 'CATALOG_SPEC_INVALID' });
  });
});

test('a scan that was cancelled reads nothing more', async () => {
  await withTempFolder(async (root) => {
    await expect(
      scanCatalogue({ rootPath: root, readers: [], signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
  });
});
