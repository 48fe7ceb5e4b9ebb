import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vmSpecSchema } from '@ascend/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSpecOption } from './specOption.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-spec-'));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function read(text: string, vm?: string) {
  const file = join(dir, 'description');
  await writeFile(file, text);
  const notes: string[] = [];
  const spec = await readSpecOption({ file, vm, note: (note) => notes.push(note) });
  return { spec, notes };
}

const ovf = (system: string) =>
  `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"><VirtualSystem id="web">${system}</VirtualSystem></Envelope>`;
const domain = (name: string) =>
  `<domain type="kvm"><name>${name}</name><memory unit="MiB">64</memory></domain>`;
const powershell = {
  VMName: 'web',
  Generation: 2,
  ProcessorCount: 1,
  MemoryStartup: 67_108_864,
  HardDrives: [],
};

test.each([
  ['OVF', ovf('<VirtualHardwareSection/>'), 'ovf'],
  ['VMX', 'displayName = "web"\nmemSize = "64"\nscsi0:0.present = "TRUE"\n', 'vmx'],
  ['domain XML', `<domains>${domain('web')}</domains>`.replace('64', '-1'), 'libvirt-domain'],
  ['objects of PowerShell', JSON.stringify({ ...powershell, New: 1 }), 'hyperv-vm'],
  [
    'a configuration',
    '<configuration><properties><name>web</name></properties></configuration>',
    'hyperv-configuration',
  ],
])(
  '%s is read by the readers that are shipped, and what they remark is told with the format',
  async (_, text, format) => {
    const { spec, notes } = await read(text);
    expect(spec.name).toBe('web');
    expect(vmSpecSchema.safeParse(spec).success).toBe(true);
    expect(notes[0]).toContain(`description (${format}): `);
  },
);

test('of several VMs the named one is read; none, and one that is not there, are refused with what there is', async () => {
  const text = `<domains>${domain('web')}${domain('db')}</domains>`;
  expect((await read(text, 'db')).spec.name).toBe('db');
  await expect(read(text)).rejects.toThrow('name one of them: web, db');
  await expect(read(text, 'mail')).rejects.toMatchObject({ code: 'CATALOG_SPEC_INVALID' });
});
