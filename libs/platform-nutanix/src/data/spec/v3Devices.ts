import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, DraftNic, SpecNode } from '@ascend/vm-spec';
import { inDiskOrder, placeName } from './diskOrder.ts';

/** Disks of a VM, and the entries of its disk list that are none. */
export interface V3Disks {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

function describe(node: SpecNode, ...names: readonly string[]): string {
  return names.flatMap((name) => node.child(name).text() ?? []).join(' ');
}

function readEntry(entry: SpecNode) {
  const properties = entry.child('device_properties');
  const address = properties.child('disk_address');
  entry.ignoring('storage_config', 'is_encryption_in_progress', 'is_migration_in_progress');
  const [bytes, mib] = [entry.child('disk_size_bytes').number(), entry.child('disk_size_mib').number()];
  const source = describe(entry.child('data_source_reference'), 'name', 'uuid');
  entry.ignoring('data_source_reference');
  const group = describe(entry.child('volume_group_reference'), 'name', 'uuid');
  entry.child('volume_group_reference').ignore();
  return {
    kind: properties.child('device_type').text() ?? 'DISK',
    bus: address.child('adapter_type').text()?.toLowerCase() ?? null,
    index: address.child('device_index').number(),
    sizeBytes: bytes ?? (mib === null ? null : mib * 1024 ** 2),
    sourceName: entry.child('uuid').text(),
    source,
    group,
  };
}

function readBootDisk(resources: SpecNode): string | null {
  const address = resources.child('boot_config', 'boot_device', 'disk_address');
  const bus = address.child('adapter_type').text()?.toLowerCase() ?? null;
  return placeName({ bus, index: address.child('device_index').number() });
}

/** Disks by bus and index. Volume groups are disks of their own that other VMs may write too; they are told, not counted. */
export function readDisks(resources: SpecNode): V3Disks {
  const bootDisk = readBootDisk(resources);
  const entries = inDiskOrder(resources.child('disk_list').items().map(readEntry));
  const devices = entries.flatMap((entry): readonly VmDevice[] => {
    const at = placeName(entry) ?? '';
    if (entry.kind === 'CDROM') return [{ kind: 'cdrom', description: `${at} ${entry.source}`.trim() }];
    if (entry.kind !== 'VOLUME_GROUP') return [];
    return [{ kind: 'shared-disk', description: `volume group ${entry.group} ${at}`.trim() }];
  });
  const disks = entries
    .filter(({ kind }) => kind !== 'CDROM' && kind !== 'VOLUME_GROUP')
    .map((entry): DraftDisk => {
      const controller = placeName(entry);
      return {
        sizeBytes: entry.sizeBytes,
        bus: entry.bus,
        controller,
        sourceName: entry.sourceName,
        bootOrder: controller !== null && controller === bootDisk ? 1 : null,
      };
    });
  return { disks, devices };
}

function readNic(nic: SpecNode): DraftNic {
  nic.ignoring(
    'nic_type',
    'uuid',
    'network_function_chain_reference',
    'network_function_nic_type',
    'vlan_mode',
  );
  nic.ignoring(
    'dns_ip_addresses_list',
    'secondary_ip_address_list',
    'floating_ip',
    'num_queues',
    'is_connected',
  );
  nic.ignoring('default_gateway_address_list', 'dhcp_server_ip', 'trunked_vlan_list');
  const subnet = nic.child('subnet_reference');
  subnet.ignoring('kind', 'uuid');
  // LEARNED addresses were seen on the wire: the guest's own matter. The others the platform assigned.
  const assigned = nic
    .child('ip_endpoint_list')
    .items()
    .filter((endpoint) => {
      endpoint.ignoring('gateway_address_list', 'prefix_length', 'ip_type', 'ip');
      return endpoint.child('type').text() !== 'LEARNED';
    })
    .flatMap((endpoint) => endpoint.child('ip').text() ?? []);
  const more = nic
    .child('secondary_ip_address_list')
    .items()
    .flatMap((address) => address.text() ?? []);
  return {
    mac: nic.child('mac_address').text(),
    network: subnet.child('name').text() ?? subnet.child('uuid').text(),
    model: nic.child('model').text()?.toLowerCase() ?? null,
    addresses: [...assigned, ...more],
  };
}

/** Interfaces in their order. */
export function readNics(resources: SpecNode): readonly DraftNic[] {
  return resources.child('nic_list').items().map(readNic);
}

/** GPUs and serial ports. */
export function readDevices(resources: SpecNode): readonly VmDevice[] {
  const gpus = resources
    .child('gpu_list')
    .items()
    .map((gpu): VmDevice => {
      const description = describe(gpu, 'vendor', 'name', 'mode', 'device_id');
      gpu.ignore();
      return { kind: 'gpu', description };
    });
  const ports = resources
    .child('serial_port_list')
    .items()
    .map((port): VmDevice => {
      port.ignoring('is_connected');
      return { kind: 'serial-port', description: `serial port ${port.child('index').text() ?? '?'}` };
    });
  return [...gpus, ...ports];
}
