/** Every platform the product names; the only list of platform names outside the platform folders and app registries. */
export const platformIds = ['kvm', 'vmware', 'cloudstack', 'hyperv', 'aws', 'azure', 'nutanix'] as const;

/** A platform a VM can be restored to. */
export type PlatformId = (typeof platformIds)[number];

/** Where a backup was taken: a platform, or `unknown` when nothing told (D20). */
export type SourcePlatform = PlatformId | 'unknown';

/** True when `text` names a platform. */
export function isPlatformId(text: string): text is PlatformId {
  return (platformIds as readonly string[]).includes(text);
}
