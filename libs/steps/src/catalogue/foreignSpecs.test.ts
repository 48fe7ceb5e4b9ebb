import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeImage, withTempFolder } from '@ascend/disk/testing';
import { makeReader, parseXml, selectVm } from '@ascend/vm-spec';
import { expect, test } from 'vitest';
import { scanCatalogue } from './scanCatalogue.ts';
import { readVmSpecFile } from './specFile.ts';

const { signal } = new AbortController();

function readerOf(format: string) {
  return makeReader({
    format,
    platform: null,
    recognise: ({ text }) => (text.includes(`<${format}`) ? `root element ${format}` : null),
    parse: parseXml,
    draft: (root, selector) => {
      const { vm, findings } = selectVm(
        format,
        selector,
        root
          .child(format, 'vm')
          .items()
          .map((one) => ({ node: one, names: [one.child('@name').text()] })),
      );
      const memory = vm.child('@memory').number();
      const draft = {
        name: vm.child('@name').text(),
        cpuCount: 1,
        memoryBytes: memory === null ? null : memory * 2 ** 20,
        firmware: 'bios' as const,
        disks: [],
        nics: [],
      };
      return { draft, findings };
    },
  });
}

const readers = [readerOf('alpha'), readerOf('beta')];

function text(format: string, ...names: readonly string[]): string {
  return `<${format}>${names.map((name) => `<vm name="${name}" memory="64"/>`).join('')}</${format}>`;
}

async function putDisk(root: string, relPath: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, relPath)), { recursive: true });
  await makeImage({ path: path.join(root, relPath), format: 'qcow2', sizeBytes: 2 ** 20 });
}

async function scanned(rootPath: string) {
  const { contexts, skipped, remarks } = await scanCatalogue({ rootPath, readers, signal });
  return {
    specs: Object.fromEntries(contexts.map(({ vmName, vmSpec }) => [vmName, vmSpec?.name ?? null])),
    skipped: skipped.map(({ relPath, code }) => `${relPath} ${code}`),
    remarks: remarks?.map(({ relPath, code }) => `${relPath} ${code}`),
  };
}

test('a file of a known format beside the disks tells the VM, whatever its name; others are passed over', async () => {
  await withTempFolder(async (root) => {
    await putDisk(root, 'ctx-web/disk-0/full.qcow2');
    await writeFile(path.join(root, 'ctx-web/machine.xml'), text('alpha', 'www'));
    await writeFile(path.join(root, 'ctx-web/other.xml'), '<other/>');
    await writeFile(path.join(root, 'ctx-web/notes.json'), '{"a": 1}');
    expect(await scanned(root)).toEqual({ specs: { web: 'www' }, skipped: [], remarks: [] });
  });
});

test('what the reader remarks is told with the file; a second scan tells the same', async () => {
  await withTempFolder(async (root) => {
    await putDisk(root, 'ctx-web/disk-0/full.qcow2');
    await writeFile(path.join(root, 'ctx-web/web.xml'), '<alpha><vm name="web" new="1"/></alpha>');
    const first = await scanned(root);
    expect(first).toEqual({
      specs: { web: 'web' },
      skipped: [],
      remarks: ['ctx-web/web.xml SPEC_VALUE_MISSING', 'ctx-web/web.xml SPEC_FIELDS_UNKNOWN'],
    });
    expect(await scanned(root)).toEqual(first);
  });
});

test('our own JSON counts before every other format, and of several formats the first of the readers', async () => {
  await withTempFolder(async (root) => {
    await putDisk(root, 'ctx-web/disk-0/full.qcow2');
    await writeFile(path.join(root, 'ctx-web/b.xml'), text('beta', 'from-beta'));
    await writeFile(path.join(root, 'ctx-web/z.xml'), text('alpha', 'from-alpha'));
    expect((await scanned(root)).specs).toEqual({ web: 'from-alpha' });
    const { contexts } = await scanCatalogue({ rootPath: root, readers, signal });
    const spec = { ...contexts[0]!.vmSpec, name: 'from-us' };
    await writeFile(path.join(root, 'ctx-web/any.vmspec.json'), JSON.stringify(spec));
    expect(await scanned(root)).toEqual({ specs: { web: 'from-us' }, skipped: [], remarks: [] });
  });
});

test('two files of one format that may both describe the VM are skipped, unless one has its name', async () => {
  await withTempFolder(async (root) => {
    await putDisk(root, 'ctx-web/disk-0/full.qcow2');
    await writeFile(path.join(root, 'ctx-web/a.xml'), text('alpha', 'x'));
    await writeFile(path.join(root, 'ctx-web/b.xml'), text('alpha', 'y'));
    expect(await scanned(root)).toEqual({
      specs: { web: null },
      skipped: ['ctx-web/a.xml CATALOG_SPEC_AMBIGUOUS', 'ctx-web/b.xml CATALOG_SPEC_AMBIGUOUS'],
      remarks: [],
    });
    await writeFile(path.join(root, 'ctx-web/b.xml'), text('alpha', 'web'));
    expect((await scanned(root)).specs).toEqual({ web: 'web' });
  });
});

test('one file that describes several VMs of a folder gives each its own; for a VM that it does not name it is skipped', async () => {
  await withTempFolder(async (root) => {
    for (const vm of ['a', 'b', 'c']) await putDisk(root, `pool/backup-${vm}-disk0-20251008-192431.qcow2`);
    await writeFile(path.join(root, 'pool/site.xml'), text('alpha', 'b', 'a'));
    expect(await scanned(root)).toEqual({ specs: { a: 'a', b: 'b', c: null }, skipped: [], remarks: [] });
    await putDisk(root, 'ctx-d/disk-0/full.qcow2');
    await writeFile(path.join(root, 'ctx-d/site.xml'), text('alpha', 'b', 'a'));
    expect((await scanned(root)).skipped).toEqual(['ctx-d/site.xml CATALOG_SPEC_AMBIGUOUS']);
  });
});

test('a broken file of a known format, and one that leads out of the repository, are told and never used', async () => {
  await withTempFolder(async (outside) => {
    await writeFile(path.join(outside, 'secret.ovf'), text('alpha', 'secret'));
    await withTempFolder(async (root) => {
      for (const vm of ['a', 'b']) await putDisk(root, `ctx-${vm}/disk-0/full.qcow2`);
      await writeFile(path.join(root, 'ctx-a/a.xml'), '<alpha><vm name="a"');
      await symlink(path.join(outside, 'secret.ovf'), path.join(root, 'ctx-b/b.ovf'));
      expect(await scanned(root)).toEqual({
        specs: { a: null, b: null },
        skipped: ['ctx-a/a.xml CATALOG_SPEC_INVALID', 'ctx-b/b.ovf DISK_PATH_OUTSIDE_REPOSITORY'],
        remarks: [],
      });
    });
  });
});

test.each([
  [
    'UTF-16 with a byte order mark',
    Buffer.from(`\uFEFF<?xml version="1.0" encoding="UTF-16"?>${text('alpha', 'größe')}`, 'utf16le'),
  ],
  ['UTF-16 without one', Buffer.from(text('alpha', 'größe'), 'utf16le')],
  [
    'the declared encoding',
    Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?>${text('alpha', 'größe')}`, 'latin1'),
  ],
  ['UTF-8', Buffer.from(text('alpha', 'größe'))],
])('a file in %s is read', async (_, bytes) => {
  await withTempFolder(async (root) => {
    const file = path.join(root, 'x.xml');
    await writeFile(file, bytes);
    const { spec, format } = await readVmSpecFile({ path: file, readers });
    expect([spec.name, format]).toEqual(['größe', 'alpha']);
  });
});

test('of a file with several VMs one must be named; a file of no known format and one of 9 MiB are refused', async () => {
  await withTempFolder(async (root) => {
    const file = path.join(root, 'x.xml');
    await writeFile(file, text('alpha', 'a', 'b'));
    await expect(readVmSpecFile({ path: file, readers })).rejects.toMatchObject({
      code: 'CATALOG_SPEC_INVALID',
      message: expect.stringContaining('a, b') as unknown,
    });
    const { spec } = await readVmSpecFile({ path: file, readers, selector: 'b' });
    expect(spec.name).toBe('b');
    for (const content of ['<other/>', ' '.repeat(9 * 1024 * 1024)]) {
      await writeFile(file, content);
      await expect(readVmSpecFile({ path: file, readers })).rejects.toMatchObject({
        code: 'CATALOG_SPEC_INVALID',
      });
    }
  });
});

test('our own JSON is read with the field names of the API too', async () => {
  await withTempFolder(async (root) => {
    const file = path.join(root, 'api.json');
    const spec = { name: 'n', cpu_count: 1, cores_per_socket: null, memory_bytes: 2 ** 20, firmware: 'bios' };
    const rest = {
      secure_boot: false,
      tpm: false,
      disks: [],
      nics: [],
      os_id: null,
      notes: null,
      tags: { A_b: 'c' },
    };
    await writeFile(file, JSON.stringify({ ...spec, ...rest }));
    const read = await readVmSpecFile({ path: file, readers });
    expect(read).toMatchObject({
      format: 'vm-spec',
      spec: { cpuCount: 1, memoryBytes: 2 ** 20, tags: { A_b: 'c' } },
    });
    await writeFile(file, JSON.stringify({ ...spec, ...rest, cpu_count: 0 }));
    await expect(readVmSpecFile({ path: file, readers })).rejects.toThrow('1 wrong fields: cpu_count: ');
  });
});
