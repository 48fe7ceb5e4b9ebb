import {
  isPlatformId,
  platformIds,
  type GuestHardware,
  type PlatformData,
  type PlatformId,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ConnectorRegistry } from '@ascend/steps';
import type { SpecReader } from '@ascend/vm-spec';

/** The connectors that `ascend local` ships, loaded when first needed. */
export const connectors: ConnectorRegistry = {
  kvm: async () => (await import('@ascend/platform-kvm')).kvmConnector,
};

/** The pure data of a platform for the planner. @throws {AppError} INPUT_INVALID - no connector of this platform here */
export async function loadPlatformData(platform: PlatformId): Promise<PlatformData> {
  if (platform === 'kvm') return (await import('@ascend/platform-kvm/data')).kvmData;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `load platform ${platform}: this version has no connector for it`,
  });
}

const hardware: Readonly<Record<PlatformId, () => Promise<GuestHardware>>> = {
  kvm: async () => (await import('@ascend/platform-kvm/data')).kvmHardware,
  vmware: async () => (await import('@ascend/platform-vmware/data')).vmwareHardware,
  cloudstack: async () => (await import('@ascend/platform-cloudstack/data')).cloudstackHardware,
  hyperv: async () => (await import('@ascend/platform-hyperv/data')).hypervHardware,
  aws: async () => (await import('@ascend/platform-aws/data')).awsHardware,
  azure: async () => (await import('@ascend/platform-azure/data')).azureHardware,
  nutanix: async () => (await import('@ascend/platform-nutanix/data')).nutanixHardware,
};

/** The platform an option names. @throws {AppError} INPUT_INVALID - lists the known ones */
export function platformOf(option: string, text: string): PlatformId {
  if (isPlatformId(text)) return text;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `read --${option}: ${JSON.stringify(text)} is none of the platforms ${platformIds.join(', ')}`,
    details: { candidates: platformIds },
    hint: `Give one of ${platformIds.join(', ')}.`,
  });
}

/** What the platform's hardware needs inside a guest; for this no connector is needed. */
export async function loadGuestHardware(platform: PlatformId): Promise<GuestHardware> {
  return await hardware[platform]();
}

/** Readers of VM descriptions, loaded when first needed; those that tell more come first. */
export async function loadSpecReaders(): Promise<readonly SpecReader[]> {
  const [vmware, kvm, hyperv, aws, azure, nutanix, cloudstack] = await Promise.all([
    import('@ascend/platform-vmware/data'),
    import('@ascend/platform-kvm/data'),
    import('@ascend/platform-hyperv/data'),
    import('@ascend/platform-aws/data'),
    import('@ascend/platform-azure/data'),
    import('@ascend/platform-nutanix/data'),
    import('@ascend/platform-cloudstack/data'),
  ]);
  return [
    ...vmware.vmwareSpecReaders,
    ...kvm.kvmSpecReaders,
    ...hyperv.hypervSpecReaders,
    ...aws.awsSpecReaders,
    ...azure.azureSpecReaders,
    ...nutanix.nutanixSpecReaders,
    ...cloudstack.cloudstackSpecReaders,
  ];
}
