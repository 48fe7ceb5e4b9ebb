import type { Logger } from '@ascend/runtime';
import { parseAssignments } from '../linux/osRelease.ts';
import type { RebuildInitramfsEdit } from '../edits/guestEdit.ts';
import type { GuestRoot } from './guestRoot.ts';
import { busyboxPath } from './guestSandbox.ts';

/** Bounds of one kernel's image; measured on 2 cores: 3 s for initramfs-tools, 41 s for dracut. */
const defaultLimits: ToolLimits = { stallAfterMs: 180_000, timeoutMs: 30 * 60_000 };
const shortTimeoutMs = 60_000;

/** When a tool of the guest is ended. */
export interface ToolLimits {
  /** No output and no processor time for so long. */
  readonly stallAfterMs: number;
  /** Busy, but without end. */
  readonly timeoutMs: number;
}

/** The old image under this suffix stays beside the new one. */
export const originalSuffix = '.ascend-orig';

// A name of ours in conf.d, there only during the rebuild. Without a root device in sight MODULES=dep cannot work.
const overridePath = 'etc/initramfs-tools/conf.d/zz-ascend-rebuild';

function toolCommand(edit: RebuildInitramfsEdit): readonly string[] | null {
  if (edit.tool === 'initramfs-tools') return ['update-initramfs', '-u', '-k', edit.kernelVersion];
  if (edit.tool === 'dracut') {
    return ['dracut', '--force', '--no-hostonly', '--kver', edit.kernelVersion, `/${edit.path}`];
  }
  return null;
}

/** Keeps the image under `originalSuffix`; an older one of that name (the true original) is left alone. */
export async function keepOriginal(root: GuestRoot, path: string): Promise<void> {
  const kept = `/${path}${originalSuffix}`;
  const there = await root.run({
    args: [busyboxPath, 'test', '-e', kept],
    okExitCodes: [0, 1],
    timeoutMs: shortTimeoutMs,
  });
  if (there.exitCode === 0) return;
  await root.run({ args: [busyboxPath, 'cp', '-p', `/${path}`, kept], timeoutMs: shortTimeoutMs });
}

async function usesDependencyMode(root: GuestRoot): Promise<boolean> {
  const listed = await root.run({
    args: [busyboxPath, 'ls', '/etc/initramfs-tools/conf.d'],
    okExitCodes: [0, 1],
    timeoutMs: shortTimeoutMs,
  });
  const names = listed.stdout.split('\n').filter((name) => /^[\w.-]+$/.test(name));
  const paths = [
    'etc/initramfs-tools/initramfs.conf',
    ...names.map((name) => `etc/initramfs-tools/conf.d/${name}`),
  ];
  let mode = 'most';
  for (const path of paths) {
    const file = await root.readFile(path);
    mode = parseAssignments(file?.text ?? '').get('MODULES') ?? mode;
  }
  return mode === 'dep';
}

/**
 * Rebuilds one initramfs by the guest's own tool inside the sandbox. false: the tool is missing or failed, and the image
 * may be the old one or half a new one.
 */
export async function rebuildInitramfs(params: {
  readonly root: GuestRoot;
  readonly edit: RebuildInitramfsEdit;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly toolLimits?: ToolLimits | undefined;
}): Promise<boolean> {
  const { root, edit, logger, signal } = params;
  const limits = params.toolLimits ?? defaultLimits;
  const command = toolCommand(edit);
  if (command === null) return false;
  const override = edit.tool === 'initramfs-tools' && (await usesDependencyMode(root));
  if (override) {
    await root.writeFiles([{ name: overridePath, mode: 0o644, data: Buffer.from('MODULES=most\n') }]);
  }
  try {
    const result = await root.runTool({ args: command, ...limits });
    logger.info('initramfs rebuilt', {
      kernel: edit.kernelVersion,
      durationMs: Math.round(result.durationMs),
    });
    return true;
  } catch (cause) {
    if (signal.aborted) throw cause;
    logger.warn("the guest's initramfs tool failed", {
      kernel: edit.kernelVersion,
      reason: cause instanceof Error ? cause.message : String(cause),
    });
    return false;
  } finally {
    if (override && !signal.aborted) {
      await root.run({ args: [busyboxPath, 'rm', '-f', `/${overridePath}`], timeoutMs: shortTimeoutMs });
    }
  }
}

/** Puts the kept image back in place of what the tool left: nothing, half an image, or one that lost something. */
export async function restoreOriginal(root: GuestRoot, path: string): Promise<void> {
  const args = [busyboxPath, 'cp', '-p', `/${path}${originalSuffix}`, `/${path}`];
  await root.run({ args, timeoutMs: shortTimeoutMs });
}
