import type { PlatformData, PlatformId } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ConnectorRegistry } from '@ascend/steps';

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
