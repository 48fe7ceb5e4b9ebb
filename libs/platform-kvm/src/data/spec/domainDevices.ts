import type { VmDevice, VmDeviceKind } from '@ascend/domain';
import type { DraftNic, SpecNode } from '@ascend/vm-spec';

const nicHostSettings = [
  '@trustGuestRxFilters',
  '@managed',
  'address',
  'alias',
  'backend',
  'bandwidth',
  'boot',
  'coalesce',
  'driver',
  'filterref',
  'guest',
  'link',
  'mtu',
  'port',
  'portForward',
  'rom',
  'route',
  'script',
  'state',
  'target',
  'teaming',
  'tune',
  'virtualport',
  'vlan',
];

/** The interfaces in the order of the document. */
export function readNics(devices: SpecNode): readonly DraftNic[] {
  return devices
    .child('interface')
    .items()
    .map((node) => {
      node.ignoring(...nicHostSettings);
      const source = node.child('source');
      const names = ['@network', '@bridge', '@dev', '@path', '@name'].map((name) =>
        source.child(name).text(),
      );
      const type = node.child('@type').text();
      source.ignore();
      node.child('mac').ignoring('@type', '@check');
      const addresses = node
        .child('ip')
        .items()
        .flatMap((ip) => {
          const [address, prefix] = [ip.child('@address').text(), ip.child('@prefix').text()];
          ip.ignoring('@family', '@peer');
          return address === null ? [] : [prefix === null ? address : `${address}/${prefix}`];
        });
      return {
        mac: node.child('mac', '@address').text(),
        network: names.find((name) => name !== null) ?? (type === 'user' ? 'user' : null),
        model: node.child('model', '@type').text(),
        addresses,
      };
    });
}

/** Devices that every VM gets, or that only connect the old host. */
const ordinary = [
  'audio',
  'channel',
  'console',
  'emulator',
  'graphics',
  'hub',
  'input',
  'iommu',
  'memballoon',
  'panic',
  'pstore',
  'redirdev',
  'redirfilter',
  'rng',
  'video',
  'vsock',
  'acpi',
];

const plain: readonly (readonly [name: string, kind: VmDeviceKind, word: string])[] = [
  ['serial', 'serial-port', '@type'],
  ['parallel', 'parallel-port', '@type'],
  ['sound', 'sound', '@model'],
  ['watchdog', 'watchdog', '@model'],
  ['smartcard', 'other', '@mode'],
  ['shmem', 'other', '@name'],
  ['nvram', 'other', '@type'],
  ['memory', 'other', '@model'],
  ['lease', 'other', '@type'],
  ['crypto', 'other', '@model'],
];

function addressText(address: SpecNode): string {
  const part = (name: string) => address.child(name).text()?.replace(/^0x/, '') ?? '0';
  return `${part('@domain').padStart(4, '0')}:${part('@bus')}:${part('@slot')}.${part('@function')}`;
}

function readHostDevice(node: SpecNode): VmDevice {
  const type = node.child('@type').text() ?? node.child('@mode').text() ?? 'device';
  const source = node.child('source');
  const model = node.child('@model').text();
  const read = (): VmDevice => {
    if (type === 'mdev') {
      const uuid = source.child('address', '@uuid').text() ?? '';
      return {
        kind: 'gpu',
        description: `mediated device ${model ?? ''} ${uuid}`.replaceAll(/\s+/g, ' ').trim(),
      };
    }
    if (type === 'pci') return { kind: 'pci-passthrough', description: addressText(source.child('address')) };
    if (type === 'usb') {
      const ids = [source.child('vendor', '@id').text(), source.child('product', '@id').text()];
      const known = ids.filter((id) => id !== null);
      const place = [source.child('address', '@bus').text(), source.child('address', '@device').text()];
      return { kind: 'usb-passthrough', description: (known.length > 0 ? known : place).join(':') };
    }
    return { kind: type === 'scsi' ? 'raw-device' : 'other', description: `host device ${type}` };
  };
  const device = read();
  node.ignore();
  return device;
}

/** What the VM has beside disks and network interfaces. */
export function readDevices(devices: SpecNode): readonly VmDevice[] {
  devices.ignoring(...ordinary);
  const named = plain.flatMap(([name, kind, word]) =>
    devices
      .child(name)
      .items()
      .map((node) => {
        const description = `${name} ${node.child(word).text() ?? ''}`.trim();
        node.ignore();
        return { kind, description };
      }),
  );
  const folders = devices
    .child('filesystem')
    .items()
    .map((node): VmDevice => {
      const [from, to] = [node.child('source', '@dir').text(), node.child('target', '@dir').text()];
      node.ignore();
      return { kind: 'other', description: `shared folder ${from ?? '?'} as ${to ?? '?'}` };
    });
  // An interface that is a device of the host needs it again.
  const hostNics = devices
    .child('interface')
    .items()
    .filter((node) => node.child('@type').text() === 'hostdev')
    .map((node): VmDevice => {
      return { kind: 'pci-passthrough', description: `nic ${addressText(node.child('source', 'address'))}` };
    });
  const tpms = devices.child('tpm').items();
  const realTpms = tpms.filter((node) => node.child('backend', '@type').text() === 'passthrough');
  for (const node of tpms) node.ignore();
  return [
    ...named,
    ...folders,
    ...hostNics,
    ...devices.child('hostdev').items().map(readHostDevice),
    ...realTpms.map((): VmDevice => ({ kind: 'other', description: 'TPM of the host' })),
  ];
}
