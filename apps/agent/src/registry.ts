import type { ConnectorRegistry } from '@ascend/steps/runner';
import type { SpecReader } from '@ascend/vm-spec';

/** The connectors this agent ships, loaded when first needed. */
export const connectors: ConnectorRegistry = {
  kvm: async () => (await import('@ascend/platform-kvm')).kvmConnector,
};

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
