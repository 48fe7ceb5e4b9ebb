import type { VmDevice, VmDeviceKind } from '@ascend/domain';
import { normalMac, type DraftNic } from '@ascend/vm-spec';
import { listOf, type VmParts } from './vmParts.ts';

/** The interfaces in the order of the cmdlet. Addresses that the guest reports are not told to be static, and left out. */
export function readNics(parts: VmParts): readonly DraftNic[] {
  return listOf(parts.part('VMNetworkAdapter', 'NetworkAdapters')).map((node) => {
    const mac = node.child('MacAddress').text();
    const nic = {
      // Zeros stand for an address that the first start will make.
      mac: mac !== null && normalMac(mac) === null && /^[0:-]+$/.test(mac) ? null : mac,
      network: node.child('SwitchName').text(),
      model: node.child('IsLegacy').boolean() === true ? 'legacy' : 'synthetic',
    };
    // The rest are limits, offloads and states of the old switch's port.
    node.ignore();
    return nic;
  });
}

const kinds: readonly (readonly [noun: string, kind: VmDeviceKind, words: readonly string[]])[] = [
  ['VMGpuPartitionAdapter', 'gpu', ['InstancePath', 'Name']],
  ['VMRemoteFx3dVideoAdapter', 'gpu', ['Name']],
  ['VMAssignableDevice', 'pci-passthrough', ['LocationPath', 'InstanceID', 'Name']],
  ['VMFibreChannelHba', 'other', ['SanName', 'Name']],
];

const namesInVm: Readonly<Record<string, string>> = {
  VMRemoteFx3dVideoAdapter: 'RemoteFxAdapter',
  VMFibreChannelHba: 'FibreChannelHostBusAdapters',
};

/** What the VM has beside drives and network interfaces. */
export function readDevices(parts: VmParts): readonly VmDevice[] {
  const listed = kinds.flatMap(([noun, kind, words]) =>
    listOf(parts.part(noun, namesInVm[noun] ?? noun)).flatMap((node): VmDevice[] => {
      const text = words.map((word) => node.child(word).text()).find((one) => one !== null) ?? node.text();
      node.ignore();
      return text === null || text === undefined ? [] : [{ kind, description: text }];
    }),
  );
  const ports = ['ComPort1', 'ComPort2', 'VMComPort'].flatMap((name) =>
    listOf(parts.part(name)).flatMap((node): VmDevice[] => {
      const path = node.child('Path').text();
      node.ignore();
      return path === null ? [] : [{ kind: 'serial-port', description: path }];
    }),
  );
  return [...listed, ...ports];
}
