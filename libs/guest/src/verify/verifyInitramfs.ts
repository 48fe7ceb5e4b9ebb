import type { Finding } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { originalSuffix } from '../apply/rebuildInitramfs.ts';
import type { RebuildInitramfsEdit } from '../edits/guestEdit.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { modulesOf, type Initramfs } from '../initramfs/initramfs.ts';
import { isBootModule } from '../linux/kernelModules.ts';
import { openInitramfs } from '../linux/kernels.ts';
import { listNames, type GuestChange } from './guestDiff.ts';
import { failedCheck, passedCheck } from './verifyFinding.ts';

/** What comparing one image with its edit and its original gave. */
export interface InitramfsVerdict {
  readonly findings: readonly Finding[];
  readonly diff: readonly GuestChange[];
}

// Losing one of these keeps a guest from booting, or from checking its root; other files are only named.
const vital =
  /^(?:usr\/)?(?:s?bin|lib\/udev)\/(?:fsck(?:\..+)?|logsave|mount|udevadm|modprobe|busybox|kmod|cryptsetup|lvm)$/;

function isVital(name: string): boolean {
  return vital.test(name);
}

/** The same file may move between `bin` and `usr/bin` from one build to the next. */
function withoutUsr(name: string): string {
  return name.replace(/^usr\//, '');
}

function lostNames(before: Initramfs, after: Initramfs): readonly string[] {
  const kept = new Set([...after.names].map(withoutUsr));
  return [...before.names].filter((name) => !kept.has(withoutUsr(name)));
}

function compare(edit: RebuildInitramfsEdit, before: Initramfs, after: Initramfs): InitramfsVerdict {
  const version = edit.kernelVersion;
  const [had, has] = [modulesOf(before.names, version), modulesOf(after.names, version)];
  const added = has.filter((name) => !had.includes(name));
  const lost = lostNames(before, after);
  const lostDrivers = lost.filter((name) =>
    isBootModule(name.replace(/^(?:usr\/)?lib\/modules\/[^/]+\//, '')),
  );
  const diff: GuestChange[] = [
    { path: edit.path, change: `${added.length} modules added: ${listNames(added)}` },
  ];
  if (lost.length > 0)
    diff.push({ path: edit.path, change: `${lost.length} members left out: ${listNames(lost)}` });
  const fatal = [...lostDrivers, ...lost.filter(isVital)];
  if (fatal.length === 0) return { findings: [], diff };
  const message = `the initramfs of kernel ${version} lost ${fatal.length} parts that its original had`;
  return { findings: [failedCheck(message, listNames(fatal))], diff };
}

async function tryOpen(
  files: GuestFiles,
  path: string,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<Initramfs | string> {
  try {
    return await openInitramfs(files, path, params);
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'GUEST_INITRAMFS_UNREADABLE') throw cause;
    return cause.message;
  }
}

/** Reads one image again: every module of the edit is in it, and nothing vital of the original got lost (D23). */
export async function verifyInitramfs(
  files: GuestFiles,
  edit: RebuildInitramfsEdit,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<InitramfsVerdict> {
  const after = await tryOpen(files, `/${edit.path}`, params);
  if (typeof after === 'string')
    return { findings: [failedCheck(`${edit.path} cannot be read`, after)], diff: [] };
  const has = new Set(modulesOf(after.names, edit.kernelVersion));
  const missing = edit.modules.filter((name) => !has.has(name));
  const message = `the initramfs of kernel ${edit.kernelVersion} holds ${edit.modules.length - missing.length} of ${edit.modules.length} drivers`;
  const drivers =
    missing.length === 0 ? passedCheck(message, edit.path) : failedCheck(message, listNames(missing));
  const before = await tryOpen(files, `/${edit.path}${originalSuffix}`, params);
  if (typeof before === 'string') {
    return {
      findings: [drivers, failedCheck(`the original of ${edit.path} cannot be read`, before)],
      diff: [],
    };
  }
  const compared = compare(edit, before, after);
  return { findings: [drivers, ...compared.findings], diff: compared.diff };
}
