import type { DraftNic, SpecNode } from '@ascend/vm-spec';

const meaningless = `
  broadcasturi extradhcpoption gateway id ip6cidr ip6gateway isdefault isolatedpvlan isolatedpvlantype
  isolationuri jobid jobstatus mtu netmask networkid publicip nsxlogicalswitch nsxlogicalswitchport publicipid
  traffictype type virtualmachineid vlanid vpcid vpcname ipaddresses
`
  .trim()
  .split(/\s+/);

/** Cards by `deviceid`. Addresses are those the platform gave them, which its DHCP server hands out. */
export function readNics(vm: SpecNode, adapter: string | null): readonly DraftNic[] {
  return vm
    .child('nic')
    .items()
    .toSorted((a, b) => (a.child('deviceid').number() ?? 0) - (b.child('deviceid').number() ?? 0))
    .map((nic): DraftNic => {
      nic.ignoring(...meaningless);
      const more = nic
        .child('secondaryip')
        .items()
        .map((entry) => {
          entry.ignoring('id');
          return entry.child('ipaddress').text();
        });
      const told = [nic.child('ipaddress').text(), ...more, nic.child('ip6address').text()];
      return {
        mac: nic.child('macaddress').text(),
        network: nic.child('networkname').text() ?? nic.child('networkid').text(),
        model: nic.child('adaptertype').text()?.toLowerCase() ?? adapter,
        addresses: told.filter((address) => address !== null),
      };
    });
}
