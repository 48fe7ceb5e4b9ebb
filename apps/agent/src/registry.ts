import type { ConnectorRegistry } from '@ascend/steps/runner';

/** The connectors this agent ships, loaded when first needed. */
export const connectors: ConnectorRegistry = {
  kvm: async () => (await import('@ascend/platform-kvm')).kvmConnector,
};
