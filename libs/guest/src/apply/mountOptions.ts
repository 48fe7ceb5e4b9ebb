/** What decides how the kernel mounts a file system of a guest. */
export interface KernelMountParams {
  readonly fileSystem: string;
  /** `subvol=` and `subvolid=`; all others are left out. */
  readonly options: readonly string[];
}

/** File systems that only the kernel reads and writes, so that root is needed. */
export function needsKernelMount(fileSystem: string): boolean {
  return fileSystem === 'xfs' || fileSystem === 'btrfs';
}

/**
 * Options of a kernel mount through a loop device. No program of the guest gains rights, no device file of it works.
 * xfs: `nouuid`, since the machine may hold a clone. btrfs: the subvolume, where one is named.
 */
export function kernelMountOptions(params: KernelMountParams, access: 'rw' | 'ro' = 'rw'): string {
  const chosen = params.options.filter((option) => /^subvol(?:id)?=/.test(option) && !option.includes(','));
  return [
    'loop,nosuid,nodev,noatime',
    access,
    ...(params.fileSystem === 'xfs' ? ['nouuid'] : []),
    ...(params.fileSystem === 'btrfs' ? chosen : []),
  ].join(',');
}
