import type { DraftNic, SpecNode } from '@ascend/vm-spec';

function textsOf(list: SpecNode, name: string): readonly string[] {
  return list.items().flatMap((item) => {
    item.ignoring('Association', 'Primary', 'PrivateDnsName', 'IsPrimaryIpv6');
    return item.child(name).text() ?? [];
  });
}

function ordinal(nic: SpecNode, name: string): number {
  return nic.child('Attachment', name).number() ?? 0;
}

function readNic(nic: SpecNode, model: string): DraftNic {
  nic.ignoring(
    'Association',
    'Attachment',
    'Description',
    'Groups',
    'NetworkInterfaceId',
    'OwnerId',
    'VpcId',
  );
  nic.ignoring('PrivateDnsName', 'SourceDestCheck', 'Status', 'Ipv4Prefixes', 'Ipv6Prefixes', 'Operator');
  nic.ignoring('ConnectionTrackingConfiguration', 'SecondaryInterfaceId', 'SecondaryNetworkId');
  const type = nic.child('InterfaceType').text();
  const only = nic.child('PrivateIpAddress').text();
  const four = textsOf(nic.child('PrivateIpAddresses'), 'PrivateIpAddress');
  const six = textsOf(nic.child('Ipv6Addresses'), 'Ipv6Address');
  return {
    mac: nic.child('MacAddress').text(),
    network: nic.child('SubnetId').text() ?? nic.child('SecondarySubnetId').text(),
    model: type?.startsWith('efa') === true ? type : model,
    addresses: [...(four.length === 0 && only !== null ? [only] : four), ...six],
  };
}

/** Interfaces by card and device index; addresses are those the platform gives by DHCP. */
export function readNics(instance: SpecNode, model: string): readonly DraftNic[] {
  const first = instance
    .child('NetworkInterfaces')
    .items()
    .toSorted(
      (a, b) =>
        ordinal(a, 'NetworkCardIndex') - ordinal(b, 'NetworkCardIndex') ||
        ordinal(a, 'DeviceIndex') - ordinal(b, 'DeviceIndex'),
    );
  return [...first, ...instance.child('SecondaryInterfaces').items()].map((nic) => readNic(nic, model));
}
