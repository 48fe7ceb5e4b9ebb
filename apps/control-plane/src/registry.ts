import { isPlatformId, type PlatformData, type PlatformId } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { kvmData } from '@ascend/platform-kvm/data';

const platforms: Partial<Record<PlatformId, PlatformData>> = { kvm: kvmData };

/** Platforms this control plane can plan for. */
const knownPlatforms: readonly PlatformId[] = Object.keys(platforms).filter(isPlatformId);

/**
 * The pure data of a platform.
 *
 * @throws {AppError} API_PLATFORM_UNSUPPORTED - this version ships no data for it
 */
export function platformData(platform: PlatformId): PlatformData {
  const data = platforms[platform];
  if (data !== undefined) return data;
  throw new AppError({
    code: 'API_PLATFORM_UNSUPPORTED',
    message: `use platform ${platform}: this version knows ${knownPlatforms.join(', ')}`,
    details: { platform, known: knownPlatforms },
  });
}
