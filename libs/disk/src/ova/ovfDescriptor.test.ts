import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleVm } from '../testing/sampleVm.ts';
import { ovfDescriptor, streamOptimizedFormat } from './ovfDescriptor.ts';
import { checkVmDescription, fileBaseName, type VmDescription } from './vmDescription.ts';
import { escapeXml } from './xml.ts';

interface Found {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Found[];
  text: string;
}

function unescape(text: string): string {
  return text
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll(
      /&(lt|gt|quot|apos);/g,
      (_, name: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'" })[name] ?? '',
    )
    .replaceAll('&amp;', '&');
}

/** A strict reader of the little XML that a descriptor needs: it throws on anything that is not well-formed. */
function parse(xml: string): Found {
  const root: Found = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const token = /<(\/?)([\w:]+)((?: [\w:]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
  token.lastIndex = '<?xml version="1.0" encoding="UTF-8"?>'.length;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const match = token.exec(xml);
    if (match === null) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 40)}`);
    const [, end, name = '', attributes = '', empty, text] = match;
    const current = open.at(-1)!;
    if (text !== undefined) {
      if (/&(?!(?:amp|lt|gt|quot|apos|#\d+);)/.test(text)) throw new Error(`a bare & in ${text}`);
      current.text += unescape(text);
    } else if (end === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes nothing`);
    } else {
      const pairs = [...attributes.matchAll(/ ([\w:]+)="([^"]*)"/g)];
      const found: Found = {
        name,
        attributes: Object.fromEntries(pairs.map(([, key, value]) => [key, unescape(value ?? '')])),
        children: [],
        text: '',
      };
      current.children.push(found);
      if (empty !== '/') open.push(found);
    }
  }
  if (open.length !== 1 || root.children.length !== 1) throw new Error('not one closed root');
  return root.children[0]!;
}

function all(node: Found, name: string): Found[] {
  return node.children.flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

function value(item: Found, name: string): string | undefined {
  return item.children.find((child) => child.name === `rasd:${name}`)?.text;
}

function describeVm(vm: VmDescription): Found {
  checkVmDescription(vm);
  const files = vm.disks.map((_, index) => ({ name: `d${index}.vmdk`, sizeBytes: 1000 + index }));
  return parse(ovfDescriptor(vm, files, streamOptimizedFormat));
}

describe('the descriptor', () => {
  test('has its sections in the order of the schema', () => {
    const root = describeVm(sampleVm());
    expect(root.children.map(({ name }) => name)).toEqual([
      'References',
      'DiskSection',
      'NetworkSection',
      'VirtualSystem',
    ]);
    expect(all(root, 'VirtualSystem')[0]?.children.map(({ name }) => name)).toEqual([
      'Info',
      'Name',
      'AnnotationSection',
      'OperatingSystemSection',
      'VirtualHardwareSection',
    ]);
    const hardware = all(root, 'VirtualHardwareSection')[0]!.children.map(({ name }) => name);
    expect([...new Set(hardware)]).toEqual(['Info', 'System', 'Item', 'vmw:Config']);
    for (const item of all(root, 'Item')) {
      const names = item.children.map(({ name }) => name).filter((name) => name.startsWith('rasd:'));
      expect(names).toEqual([...names].sort());
    }
  });

  test('says what the VM has', () => {
    const root = describeVm(sampleVm());
    const items = all(root, 'Item').map((item) =>
      Object.fromEntries(item.children.map(({ name, text }) => [name.replace('rasd:', ''), text])),
    );
    const ofType = (type: number) => items.filter((item) => item['ResourceType'] === String(type));
    expect(ofType(3)[0]).toMatchObject({ VirtualQuantity: '4', 'vmw:CoresPerSocket': '2' });
    expect(ofType(4)[0]).toMatchObject({ VirtualQuantity: '2048', AllocationUnits: 'byte * 2^20' });
    expect(ofType(17).map((disk) => disk['HostResource'])).toEqual([
      'ovf:/disk/vmdisk1',
      'ovf:/disk/vmdisk2',
    ]);
    expect(ofType(10)[0]).toMatchObject({ Address: '52:54:00:aa:bb:cc', Connection: 'LAN <1> & "co"' });
    const configs = all(root, 'vmw:Config').map(({ attributes }) => [
      attributes['vmw:key'],
      attributes['vmw:value'],
    ]);
    expect(configs).toEqual([
      ['firmware', 'efi'],
      ['bootOptions.efiSecureBootEnabled', 'true'],
    ]);
    expect(all(root, 'File')[1]?.attributes).toEqual({
      'ovf:href': 'd1.vmdk',
      'ovf:id': 'file2',
      'ovf:size': '1001',
    });
  });

  test('gives every disk a place of its own on a controller, up to 60', () => {
    const disks = Array.from({ length: 60 }, () => ({ sizeBytes: 512 }));
    const root = describeVm({ ...sampleVm(), disks });
    const items = all(root, 'Item');
    const buses = items
      .filter((item) => value(item, 'ResourceType') === '6')
      .map((item) => value(item, 'InstanceID'));
    const drives = items.filter((item) => value(item, 'ResourceType') === '17');
    const places = drives.map((item) => `${value(item, 'Parent')}:${value(item, 'AddressOnParent')}`);
    expect(buses).toHaveLength(4);
    expect(new Set(places).size).toBe(60);
    expect(places.every((place) => buses.includes(place.split(':')[0]) && !place.endsWith(':7'))).toBe(true);
    const ids = items.map((item) => value(item, 'InstanceID'));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is well-formed and keeps every name, however hostile', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'binary' }), (text) => {
        const name = `x${text}`;
        const root = describeVm({ ...sampleVm(), name, notes: text });
        // eslint-disable-next-line no-control-regex -- what XML 1.0 cannot hold, stated a second way
        const kept = name.toWellFormed().replaceAll(/[\0-\x08\v\f\x0E-\x1F\uFFFE\uFFFF]/g, '\uFFFD');
        expect(all(root, 'Name')[0]?.text).toBe(kept);
        expect(all(root, 'VirtualSystem')[0]?.attributes['ovf:id']).toBe(kept);
      }),
    );
    expect(escapeXml('</Name>&\0')).toBe('&lt;/Name&gt;&amp;\uFFFD');
  });
});

test.each([
  [{ name: ' ' }, 'name'],
  [{ cpuCount: 0 }, '0 CPUs'],
  [{ cpuCount: 3, coresPerSocket: 2 }, 'do not divide'],
  [{ memoryBytes: 1024 ** 2 + 1 }, 'no multiple of 1 MiB'],
  [{ firmware: 'bios', secureBoot: true }, 'needs UEFI'],
  [{ disks: [] }, '0 disks'],
  [{ disks: Array.from({ length: 61 }, () => ({ sizeBytes: 512 })) }, '61 disks'],
  [{ disks: [{ sizeBytes: 1000 }] }, 'no multiple of 512'],
  [{ nics: [{ network: 'a', mac: '52:54', model: 'E1000' }] }, 'no hardware address'],
  [{ nics: [{ network: '', mac: null, model: 'E1000' }] }, 'without a name'],
  [{ systemType: '<x>' }, 'no identifier'],
  [{ os: { cimId: -1, guestId: null, description: '' } }, 'operating system'],
] satisfies [Partial<VmDescription>, string][])('a VM with %j is refused', (change, problem) => {
  expect(() => checkVmDescription({ ...sampleVm(), ...change })).toThrow(problem);
});

test.each([
  ['web 01', 'web-01'],
  ['../../etc/passwd', 'etc-passwd'],
  ['Büro-Server', 'Buro-Server'],
  ['', 'vm'],
  ['日本', 'vm'],
  ['a'.repeat(200), 'a'.repeat(60)],
])('the name %j makes the file name %j', (name, base) => {
  expect(fileBaseName(name)).toBe(base);
});
