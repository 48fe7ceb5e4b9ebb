import type { Finding, Firmware, VmDevice } from '@ascend/domain';
import {
  makeReader,
  osIdOfName,
  parseJson,
  selectVm,
  specFinding,
  type NamedVm,
  type SpecNode,
} from '@ascend/vm-spec';
import { readDisks } from './instanceDisks.ts';
import { acceleratorsOf, isXen } from './instanceFamilies.ts';
import { readNics } from './instanceNics.ts';
import { sizeOf, type InstanceSize } from './instanceSizes.ts';

const format = 'ec2-instance';

/** Of no meaning for a new VM: state, accounting, network and placement of the account it lived in. */
const meaningless = `
  AmiLaunchIndex CapacityBlockId CapacityReservationId CapacityReservationSpecification ClientToken
  EbsOptimized ElasticInferenceAcceleratorAssociations Hypervisor ImageId IamInstanceProfile InstanceLifecycle
  Ipv6Address KernelId KeyName LaunchTime Licenses MaintenanceOptions MetadataOptions Monitoring
  NetworkPerformanceOptions Operator OutpostArn PrivateDnsName PrivateDnsNameOptions PrivateIpAddress
  ProductCodes PublicDnsName PublicIpAddress RamdiskId SecurityGroups SourceDestCheck State
  SpotInstanceRequestId StateReason StateTransitionReason SubnetId UsageOperation VpcId
  UsageOperationUpdateTime RootDeviceType VirtualizationType
`
  .trim()
  .split(/\s+/);

function instancesOf(root: SpecNode): readonly SpecNode[] {
  const reservations = root.child('Reservations').exists ? root.child('Reservations').items() : root.items();
  return reservations.flatMap((entry) => {
    if (entry.child('InstanceType').exists || entry.child('InstanceId').exists) return [entry];
    entry.ignoring('ReservationId', 'OwnerId', 'RequesterId', 'Groups');
    return entry.child('Instances').items();
  });
}

function tagsOf(instance: SpecNode): Record<string, string> {
  const pairs = instance.child('Tags').items();
  return Object.fromEntries(
    pairs.map((tag) => [tag.child('Key').text() ?? '', tag.child('Value').text() ?? '']),
  );
}

/**
 * What it booted with, else what the image asks for, else the type's default: UEFI on ARM, legacy BIOS elsewhere (user guide,
 * "Determine the boot mode of an EC2 instance", notes of 2026-11-20). `uefi-preferred` is UEFI wherever the type can.
 */
function firmwareOf(instance: SpecNode, type: string | null, arch: string | null): Firmware {
  const asked = instance.child('BootMode').text();
  const mode = instance.child('CurrentInstanceBootMode').text() ?? asked;
  if (mode === 'legacy-bios') return 'bios';
  if (mode === 'uefi-preferred') return isXen(type) ? 'bios' : 'uefi';
  return mode === 'uefi' || arch === 'aarch64' ? 'uefi' : 'bios';
}

function archOf(instance: SpecNode): string | null {
  const arch = instance.child('Architecture').text()?.replace(/_mac$/, '') ?? null;
  if (arch === 'arm64') return 'aarch64';
  return arch === 'i386' ? 'i686' : arch;
}

/** DescribeInstanceTypes may stand beside the instance as `InstanceTypes`. */
function toldSize(root: SpecNode, type: string | null): InstanceSize | null {
  const told = root
    .child('InstanceTypes')
    .items()
    .find((entry) => entry.child('InstanceType').text() === type);
  root.ignoring('InstanceTypes', 'NextToken');
  if (type === null || told === undefined) return null;
  const mib = told.child('MemoryInfo', 'SizeInMiB').number();
  return {
    cpuCount: told.child('VCpuInfo', 'DefaultVCpus').number(),
    memoryBytes: mib === null ? null : mib * 1024 ** 2,
  };
}

function cpusOf(instance: SpecNode): number | null {
  const options = instance.child('CpuOptions');
  const [cores, threads] = [options.child('CoreCount').number(), options.child('ThreadsPerCore').number()];
  return cores === null ? null : cores * (threads ?? 1);
}

/** What an image for another platform cannot have: told, so that an operator may set up its like. */
function featuresOf(instance: SpecNode): readonly VmDevice[] {
  const tenancy = instance.child('Placement', 'Tenancy').text() ?? 'default';
  const features: readonly [boolean, string][] = [
    [instance.child('CpuOptions', 'AmdSevSnp').text() === 'enabled', 'AMD SEV-SNP (encrypted memory)'],
    [instance.child('CpuOptions', 'NestedVirtualization').text() === 'enabled', 'nested virtualization'],
    [instance.child('EnclaveOptions', 'Enabled').boolean() === true, 'Nitro Enclaves'],
    [instance.child('HibernationOptions', 'Configured').boolean() === true, 'hibernation'],
    [tenancy !== 'default', `tenancy ${tenancy}`],
  ];
  instance.ignoring('Placement');
  return features.flatMap(([isOn, description]) => (isOn ? [{ kind: 'other', description }] : []));
}

function devicesOf(instance: SpecNode, type: string | null): readonly VmDevice[] {
  const elastic = instance
    .child('ElasticGpuAssociations')
    .items()
    .map((gpu): VmDevice => {
      const description = `Elastic Graphics ${gpu.child('ElasticGpuId').text() ?? ''}`;
      gpu.ignore();
      return { kind: 'gpu', description };
    });
  return [...acceleratorsOf(type), ...elastic, ...featuresOf(instance)];
}

function nicModelOf(instance: SpecNode, type: string | null): string {
  const [ena, sriov] = [instance.child('EnaSupport').boolean(), instance.child('SriovNetSupport').text()];
  if (!isXen(type) || ena === true) return 'ena';
  return sriov === 'simple' ? 'ixgbevf' : 'vif';
}

function osOf(instance: SpecNode): string | null {
  const [platform, details] = [instance.child('Platform').text(), instance.child('PlatformDetails').text()];
  const shown = details ?? platform;
  return osIdOfName(shown) ?? shown?.toLowerCase() ?? null;
}

function sizeFindings(type: string | null, isKnown: boolean): readonly Finding[] {
  if (isKnown) return [];
  const finding = specFinding('SPEC_VALUE_MISSING', 'warning', {
    subject: 'backup',
    message: `${format}: the memory of instance type ${type ?? 'unknown'} is not known`,
    evidence: 'put the answer of DescribeInstanceTypes beside the instance as "InstanceTypes"',
  });
  return [finding];
}

/**
 * Reads `aws ec2 describe-instances` (or one instance of it), with the answers of DescribeVolumes and DescribeInstanceTypes beside it
 * in the same object where somebody put them there. Field names: EC2 API 2016-11-15 as in boto/botocore 1.43.67, read 2026-11-20.
 */
export const instanceReader = makeReader({
  format,
  platform: 'aws',
  recognise: ({ text }) => {
    if (/"Reservations"\s*:/.test(text)) return 'field Reservations of DescribeInstances';
    const isInstance = /"InstanceId"\s*:/.test(text) && /"InstanceType"\s*:/.test(text);
    return isInstance ? 'fields InstanceId and InstanceType of DescribeInstances' : null;
  },
  parse: parseJson,
  draft: (root, selector) => {
    const vms = instancesOf(root).map((node): NamedVm => {
      const names = [tagsOf(node)['Name'] ?? null, node.child('InstanceId').text()];
      return { node, names };
    });
    const { vm, findings } = selectVm(format, selector, vms);
    vm.ignoring(...meaningless);
    const type = vm.child('InstanceType').text();
    const size = toldSize(root, type) ?? sizeOf(type);
    const { Name: name = '', ...tags } = tagsOf(vm);
    const cpuArch = archOf(vm);
    const { disks, devices } = readDisks(vm, root.child('Volumes').items(), isXen(type) ? 'xen-blk' : 'nvme');
    return {
      draft: {
        name: name === '' ? vm.child('InstanceId').text() : name,
        cpuCount: cpusOf(vm) ?? size?.cpuCount ?? null,
        memoryBytes: size?.memoryBytes ?? null,
        firmware: firmwareOf(vm, type, cpuArch),
        // Secure Boot lies in the variable store, which DescribeInstances does not show.
        secureBoot: null,
        tpm: vm.child('TpmSupport').text() !== null,
        disks,
        nics: readNics(vm, nicModelOf(vm, type)),
        osId: osOf(vm),
        tags,
        cpuArch,
        devices: [...devicesOf(vm, type), ...devices],
      },
      findings: [...findings, ...sizeFindings(type, size !== null)],
    };
  },
});
