import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, DraftNic, SpecNode } from '@ascend/vm-spec';
import { inDiskOrder, placeName, type DiskPlace } from './diskOrder.ts';

/** Disks of a VM, and the volume groups attached beside them. */
export interface V4Disks {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

function placeOf(address: SpecNode): DiskPlace {
  return {
    bus: address.child('busType').text()?.toLowerCase() ?? null,
    index: address.child('index').number(),
  };
}

function ignoreBacking(backing: SpecNode): void {
  backing.ignoring('dataSource', 'externalStorageInfo', 'isMigrationInProgress', 'serialId', 'storageConfig');
  backing.ignoring('storageContainer', 'vmDiskHydrationInfo');
}

/** Disks by bus and index. Volume groups are disks of their own that other VMs may write too; they are told, not counted. */
export function readDisks(vm: SpecNode): V4Disks {
  const bootDisk = placeName(placeOf(vm.child('bootConfig', 'bootDevice', 'diskAddress')));
  const entries = vm
    .child('disks')
    .items()
    .map((disk) => {
      const backing = disk.child('backingInfo');
      ignoreBacking(backing);
      disk.ignoring('customAttributes', 'extId');
      const { bus, index } = placeOf(disk.child('diskAddress'));
      return {
        bus,
        index,
        sizeBytes: backing.child('diskSizeBytes').number(),
        id: backing.child('diskExtId').text() ?? disk.child('extId').text(),
        group: backing.child('volumeGroupExtId').text(),
      };
    });
  const devices = entries.flatMap((entry): readonly VmDevice[] =>
    entry.group === null
      ? []
      : [
          {
            kind: 'shared-disk',
            description: `volume group ${entry.group} ${placeName(entry) ?? ''}`.trim(),
          },
        ],
  );
  const disks = inDiskOrder(entries.filter(({ group }) => group === null)).map((entry): DraftDisk => {
    const controller = placeName(entry);
    return {
      sizeBytes: entry.sizeBytes,
      bus: entry.bus,
      controller,
      sourceName: entry.id,
      bootOrder: controller !== null && controller === bootDisk ? 1 : null,
    };
  });
  return { disks, devices };
}

function addressesOf(network: SpecNode): readonly string[] {
  const config = network.child('ipv4Config');
  config.ignoring('shouldAssignIp');
  // `ipv4Info` and `ipv6Info` are addresses seen on the wire: the guest's own matter.
  network.ignoring('ipv4Info', 'ipv6Info', 'networkFunctionChain', 'networkFunctionNicType', 'nicType');
  network.ignoring('shouldAllowUnknownMacs', 'trunkedVlans', 'vlanMode');
  return [config.child('ipAddress'), ...config.child('secondaryIpAddressList').items()].flatMap((address) => {
    address.ignoring('prefixLength');
    return address.child('value').text() ?? [];
  });
}

/** Kinds of cards that are devices of the host (`$objectType` of the backing, v4.3, read 2026-11-20). */
const hostCards: readonly [RegExp, string][] = [
  [/\.SriovNic$/, 'sriov'],
  [/\.DpOffloadNic$/, 'dp-offload'],
  [/\.PciePassthroughNic$/, 'pcie-passthrough'],
];

/** Interfaces in their order, and those that are devices of the host. Newer minor versions tell backing and network twice. */
export function readNics(vm: SpecNode): {
  readonly nics: readonly DraftNic[];
  readonly devices: readonly VmDevice[];
} {
  const devices: VmDevice[] = [];
  const nics = vm
    .child('nics')
    .items()
    .map((nic): DraftNic => {
      const isNew = nic.child('nicBackingInfo').exists;
      const backing = nic.child(isNew ? 'nicBackingInfo' : 'backingInfo');
      const network = nic.child(nic.child('nicNetworkInfo').exists ? 'nicNetworkInfo' : 'networkInfo');
      const type = backing.child('$objectType').text() ?? '';
      const card = hostCards.find(([pattern]) => pattern.test(type))?.[1] ?? null;
      const host = backing.child('hostPcieDeviceReference', 'extId').text();
      const mac = backing.child('macAddress').text();
      if (card !== null)
        devices.push({
          kind: 'pci-passthrough',
          description: `network card ${card} ${mac ?? host ?? ''}`.trim(),
        });
      const vlan = network.child('vlanId').text();
      const read = {
        mac,
        network: network.child('subnet', 'extId').text() ?? (vlan === null ? null : `vlan ${vlan}`),
        model: card ?? backing.child('model').text()?.toLowerCase() ?? null,
        addresses: addressesOf(network),
      };
      backing.ignoring('isConnected', 'numQueues', 'sriovProfileReference', 'dpOffloadProfileReference');
      backing.ignoring('pciePassthroughProfileReference');
      nic.ignoring('extId', ...(isNew ? ['backingInfo', 'networkInfo'] : []));
      return read;
    });
  return { nics, devices };
}

function words(node: SpecNode, ...names: readonly string[]): string {
  return names.flatMap((name) => node.child(name).text() ?? []).join(' ');
}

/** GPUs, PCIe devices, CD-ROMs and serial ports. */
export function readDevices(vm: SpecNode): readonly VmDevice[] {
  const kinds: readonly [string, VmDevice['kind'], (node: SpecNode) => string][] = [
    ['gpus', 'gpu', (gpu) => words(gpu, 'vendor', 'name', 'mode', 'deviceId')],
    [
      'pcieDevices',
      'pci-passthrough',
      (device) => `PCIe device ${words(device.child('assignedDeviceInfo', 'device'), 'deviceExtId')}`.trim(),
    ],
    [
      'cdRoms',
      'cdrom',
      (cdrom) => `${placeName(placeOf(cdrom.child('diskAddress'))) ?? ''} ${words(cdrom, 'isoType')}`.trim(),
    ],
    ['serialPorts', 'serial-port', (port) => `serial port ${port.child('index').text() ?? '?'}`],
  ];
  return kinds.flatMap(([list, kind, describe]) =>
    vm
      .child(list)
      .items()
      .map((node): VmDevice => {
        const description = describe(node);
        node.ignore();
        return { kind, description };
      }),
  );
}
