import type { KernelFacts } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import { isAppError } from '@ascend/errors';
import type { GuestFiles } from '../guestFiles.ts';
import { modulesOf, readInitramfs, type Initramfs } from '../initramfs/initramfs.ts';
import { factModules, readKernelModules } from './kernelModules.ts';

/** What reading the kernels found, with remarks for what could not be read. */
export interface KernelsFound {
  readonly kernels: readonly KernelFacts[];
  readonly remarks: readonly string[];
}

const safeVersion = /^[\w.+~-]{1,120}$/;
const maxKernels = 16;
const imagePrefixes = ['vmlinuz-', 'vmlinux-', 'Image-'];

/** Where the initramfs of a version may lie: Debian, RHEL, SUSE. */
function initramfsCandidates(version: string): readonly string[] {
  return [`/boot/initrd.img-${version}`, `/boot/initramfs-${version}.img`, `/boot/initrd-${version}`];
}

/** Path of a kernel's initramfs, or null. */
export async function findInitramfs(files: GuestFiles, version: string): Promise<string | null> {
  for (const path of initramfsCandidates(version)) {
    if ((await files.stat(path))?.kind === 'file') return path;
  }
  return null;
}

/** Versions of installed kernels: an image in /boot that also has a folder of modules. Sorted; rescue images left out. */
export async function listKernelVersions(files: GuestFiles): Promise<readonly string[]> {
  const names = (await files.list('/boot')).map((entry) => entry.name);
  const versions = names
    .flatMap((name) =>
      imagePrefixes.filter((prefix) => name.startsWith(prefix)).map((prefix) => name.slice(prefix.length)),
    )
    .filter((version) => safeVersion.test(version) && version !== '.' && version !== '..');
  const withModules = new Set((await files.list('/lib/modules')).map((entry) => entry.name));
  return [...new Set(versions)].filter((version) => withModules.has(version)).toSorted();
}

/** Files inside an initramfs that later edits may have to extend. */
function isInitramfsConfig(name: string): boolean {
  return name === 'conf/modules' || name === 'etc/modules' || name === 'usr/lib/initcpio/config';
}

/** Reads the image at `path` of the guest. @throws {AppError} GUEST_INITRAMFS_UNREADABLE */
export async function openInitramfs(
  files: GuestFiles,
  path: string,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<Initramfs> {
  const { workDir, signal } = params;
  return await readInitramfs({ image: files.stream(path), wanted: isInitramfsConfig, workDir, signal });
}

/** Reads every installed kernel with its initramfs; one that cannot be read becomes a remark. */
export async function readKernels(
  files: GuestFiles,
  params: { readonly workDir: string; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<KernelsFound> {
  const remarks: string[] = [];
  const kernels: KernelFacts[] = [];
  const versions = await listKernelVersions(files);
  if (versions.length > maxKernels)
    remarks.push(`${versions.length} kernels are installed; ${maxKernels} are read`);
  for (const version of versions.slice(0, maxKernels)) {
    const { available, builtin } = factModules(await readKernelModules(files, version));
    const initramfsPath = await findInitramfs(files, version);
    let initramfsModules: readonly string[] = [];
    if (initramfsPath !== null) {
      try {
        initramfsModules = modulesOf((await openInitramfs(files, initramfsPath, params)).names, version);
      } catch (cause) {
        if (!isAppError(cause) || params.signal.aborted) throw cause;
        params.logger.warn('initramfs cannot be read', { path: initramfsPath, reason: cause.message });
        remarks.push(`${initramfsPath}: ${cause.message}`);
      }
    }
    kernels.push({
      version,
      initramfsPath,
      initramfsModules,
      availableModules: available,
      builtinModules: builtin,
    });
  }
  return { kernels, remarks };
}
