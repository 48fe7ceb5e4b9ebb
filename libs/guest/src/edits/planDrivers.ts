import type { Finding, GuestFacts, GuestNeeds, KernelFacts } from '@ascend/domain';
import { moduleName } from '../initramfs/initramfs.ts';
import type { GuestEdit } from './guestEdit.ts';
import type { PlannedEdits } from './planFinding.ts';

function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}

function driverMissing(kernel: KernelFacts, missing: readonly string[], isNewest: boolean): Finding {
  return {
    code: 'GUEST_DRIVER_MISSING',
    severity: isNewest ? 'blocked' : 'warning',
    subject: 'guest',
    message: `kernel ${kernel.version} does not ship ${missing.join(', ')}`,
    evidence: `lib/modules/${kernel.version}: ${kernel.availableModules.length} storage, bus and network modules`,
    action: isNewest
      ? 'install a kernel with these drivers in the source VM, or choose another disk bus or target'
      : 'do not boot this kernel on the target; the newest kernel has the drivers',
  };
}

/** Modules that `kernel` can have in its initramfs: files only, built-ins are there anyway. */
function injectable(kernel: KernelFacts, wanted: readonly string[]): readonly string[] {
  const builtin = new Set(kernel.builtinModules ?? []);
  return wanted.filter((name) => kernel.availableModules.includes(name) && !builtin.has(name));
}

/** The file systems whose checkers a sandboxed rebuild would leave out, because it cannot see the root device. */
function fsckHook(fileSystem: string): string {
  return [
    '#!/bin/sh',
    '# Written by Ascend: keeps the file system checker of the root in every initramfs.',
    'case "$1" in prereqs) echo; exit 0 ;; esac',
    '. /usr/share/initramfs-tools/hook-functions',
    `for program in /sbin/fsck /sbin/logsave /sbin/fsck.${fileSystem}; do`,
    '  if [ -x "$program" ]; then copy_exec "$program"; fi',
    'done',
    'exit 0',
    '',
  ].join('\n');
}

/** The permanent configuration, so that the guest's own later rebuilds keep the drivers. */
function configEdits(guest: GuestFacts, modules: readonly string[]): readonly GuestEdit[] {
  const reason = 'later rebuilds of the initramfs keep the drivers of the target';
  if (guest.initramfsTool === 'dracut') {
    const content = `# Written by Ascend.\nadd_drivers+=" ${modules.join(' ')} "\n`;
    return [{ kind: 'write-file', path: 'etc/dracut.conf.d/90-ascend.conf', content, mode: 0o644, reason }];
  }
  if (guest.initramfsTool === 'none') return [];
  const fileSystem = guest.root?.fileSystem ?? 'ext4';
  return [
    { kind: 'add-lines', path: 'etc/initramfs-tools/modules', lines: modules, reason },
    {
      kind: 'write-file',
      path: 'etc/initramfs-tools/hooks/ascend-fsck',
      content: fsckHook(fileSystem),
      mode: 0o755,
      reason: 'an initramfs built away from its root device would lose the file system checker',
    },
  ];
}

function toModules(names: readonly string[]): readonly string[] {
  return [...new Set(names.map(moduleName))];
}

/** Plans that every initramfs holds the drivers of the target. No edits when all of them do already. */
export function planDrivers(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const required = toModules([...needs.linuxStorageModules, ...needs.linuxNetworkModules]);
  const wanted = toModules([...required, ...needs.linuxOptionalModules]);
  const kernels = guest.kernels.filter((kernel) => kernel.initramfsPath !== null);
  const newest = kernels
    .map((kernel) => kernel.version)
    .toSorted(compareVersions)
    .at(-1);
  const findings: Finding[] = [];
  const rebuilds: GuestEdit[] = [];
  const configured = new Set<string>();
  for (const kernel of kernels) {
    const missing = required.filter((name) => !kernel.availableModules.includes(name));
    if (missing.length > 0) findings.push(driverMissing(kernel, missing, kernel.version === newest));
    const modules = injectable(kernel, wanted);
    const lacking = modules.filter((name) => !kernel.initramfsModules.includes(name));
    if (lacking.length === 0) continue;
    for (const name of modules) configured.add(name);
    rebuilds.push({
      kind: 'rebuild-initramfs',
      kernelVersion: kernel.version,
      path: (kernel.initramfsPath ?? '').replace(/^\//, ''),
      tool: guest.initramfsTool,
      modules,
      reason: `the initramfs of kernel ${kernel.version} lacks ${lacking.join(', ')}`,
    });
    findings.push({
      code: 'GUEST_INITRAMFS_INCOMPLETE',
      severity: 'fixed',
      subject: 'guest',
      message: `the initramfs of kernel ${kernel.version} lacks ${lacking.length} drivers`,
      evidence: lacking.join(', '),
      action: 'they are added on the overlay, permanently, and read back',
    });
  }
  const config = rebuilds.length === 0 ? [] : configEdits(guest, [...configured].toSorted());
  return { edits: [...config, ...rebuilds], findings };
}
