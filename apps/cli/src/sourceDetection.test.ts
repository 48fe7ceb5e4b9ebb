import { platformIds } from '@ascend/domain';
import { awsSourceTraits, awsSpecReaders } from '@ascend/platform-aws/data';
import { azureSourceTraits, azureSpecReaders } from '@ascend/platform-azure/data';
import { cloudstackSourceTraits, cloudstackSpecReaders } from '@ascend/platform-cloudstack/data';
import { hypervSourceTraits } from '@ascend/platform-hyperv/data';
import { kvmSourceTraits } from '@ascend/platform-kvm/data';
import { nutanixSourceTraits, nutanixSpecReaders } from '@ascend/platform-nutanix/data';
import { vmwareSourceTraits } from '@ascend/platform-vmware/data';
import { detectSource, readDocument, sourceClues, type SourceClue } from '@ascend/vm-spec';
import { expect, test } from 'vitest';

const tables = [
  kvmSourceTraits,
  vmwareSourceTraits,
  cloudstackSourceTraits,
  hypervSourceTraits,
  awsSourceTraits,
  azureSourceTraits,
  nutanixSourceTraits,
];
const readers = [...awsSpecReaders, ...azureSpecReaders, ...cloudstackSpecReaders, ...nutanixSpecReaders];

function cluesOf(pairs: readonly string[]): readonly SourceClue[] {
  return pairs.map((pair) => {
    const [kind = '', value = ''] = pair.split('=');
    const found = tables.flatMap(({ traits }) => traits).find((trait) => trait.kind === kind);
    return { kind: found?.kind ?? 'dmi', value, where: 'test' };
  });
}

test('every platform has traits of its own', () => {
  expect(tables.map(({ platform }) => platform).sort()).toEqual([...platformIds].sort());
});

test.each([
  [['mac=00:50:56:aa:bb:cc'], 'vmware'],
  [['mac=00:0c:29:aa:bb:cc', 'agent=open-vm-tools', 'nic-model=vmxnet3'], 'vmware'],
  [['guest-mac=00:0c:29:aa:bb:cc', 'agent=open-vm-tools'], 'vmware'],
  [['service=VMTools'], 'vmware'],
  [['disk-key=2000'], 'vmware'],
  [['mac=00:15:5d:00:00:01', 'agent=hv-daemons', 'disk-format=vhdx'], 'hyperv'],
  [['file-name=disks/vm.avhdx'], 'hyperv'],
  [['mac=00:0d:3a:00:00:01', 'agent=hv-daemons', 'agent=waagent'], 'azure'],
  [['service=WindowsAzureGuestAgent', 'disk-format=vhd'], 'azure'],
  [['dmi=7783-7084-3265-9085-8269-3286-77', 'dmi=Microsoft Corporation'], 'azure'],
  [['file-name=vol-0123456789abcdef0'], 'aws'],
  [['mac=0a:11:22:33:44:55', 'data-source=Ec2'], 'aws'],
  [['disk-format=ebs-snapshot'], 'aws'],
  [['mac=50:6b:8d:00:00:01', 'agent=qemu-guest-agent'], 'nutanix'],
  [['agent=ngt'], 'nutanix'],
  [['mac=52:54:00:12:34:56', 'agent=qemu-guest-agent'], 'kvm'],
  [['data-source=CloudStack', 'mac=02:00:11:22:33:44'], 'cloudstack'],
  [['dmi=CloudStack KVM Hypervisor'], 'cloudstack'],
  [['agent=qemu-guest-agent'], 'unknown'],
  [['agent=open-vm-tools'], 'unknown'],
  [['agent=hv-daemons', 'disk-format=vhd', 'nic-model=netvsc'], 'unknown'],
  [['mac=00:50:56:aa:bb:cc', 'service=WindowsAzureGuestAgent'], 'unknown'],
  [['disk-format=qcow2', 'disk-format=raw', 'nic-model=virtio'], 'unknown'],
])('%j comes from %s', (pairs, platform) => {
  expect(detectSource(cluesOf(pairs), tables).platform).toBe(platform);
});

const documents = {
  aws: '{"Reservations": [{"Instances": [{"InstanceId": "i-1", "InstanceType": "t3.nano"}]}]}',
  azure: '{"name": "a", "hardwareProfile": {"vmSize": "Standard_B2s"}, "storageProfile": {}}',
  cloudstack: '{"listvirtualmachinesresponse": {"virtualmachine": [{"cpunumber": 1}]}}',
  'prism v3': '{"spec": {"resources": {"num_sockets": 1, "memory_size_mib": 1024}}}',
  'prism v4': '{"numSockets": 1, "memorySizeBytes": 1073741824}',
} as const;

test.each(Object.entries(documents))('a document of %s is recognised by one reader alone', (name, text) => {
  const platform = name.startsWith('prism') ? 'nutanix' : name;
  const known = readers.filter((reader) => reader.recognise({ name, text }) !== null);
  expect(known.map((reader) => reader.platform)).toEqual([platform]);
});

test.each(Object.entries(documents))(
  'a document of %s outweighs what an earlier platform left behind',
  (name, text) => {
    const reading = readDocument(readers, { name, text });
    const clues = [
      ...sourceClues({ documents: [reading] }),
      ...cluesOf(['service=VMTools', 'agent=waagent']),
    ];
    expect(detectSource(clues, tables).platform).toBe(name.startsWith('prism') ? 'nutanix' : name);
  },
);
