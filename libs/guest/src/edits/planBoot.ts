import type { Finding, GuestFacts, GuestNeeds } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';
import { nothingPlanned, type PlannedEdits } from './planFinding.ts';
import { grubDefaultsEdits } from './planKernelArguments.ts';

/** Plans that no file names a disk by the order of its discovery. */
export function planDeviceNames(guest: GuestFacts): PlannedEdits {
  const edits: GuestEdit[] = [];
  const findings: Finding[] = [];
  const paths = [...new Set((guest.deviceNames ?? []).map((name) => name.path))];
  for (const path of paths) {
    const names = (guest.deviceNames ?? []).filter((name) => name.path === path);
    const replacements: Record<string, string> = {};
    for (const { device, uuid } of names) if (uuid !== null) replacements[device] = `UUID=${uuid}`;
    const unresolved = names.filter((name) => name.uuid === null).map((name) => name.device);
    const resolved = Object.keys(replacements);
    if (resolved.length > 0) {
      const reason = `${resolved.join(', ')} may be another disk on the target`;
      edits.push({ kind: 'replace-device-names', path, replacements, reason });
      findings.push({
        code: 'GUEST_DEVICE_NAME_UNSTABLE',
        severity: 'fixed',
        subject: 'guest',
        message: `${path} names ${resolved.length} disks by order of discovery`,
        evidence: resolved.join(', '),
        action: 'the names are replaced by file system UUIDs on the overlay',
      });
    }
    if (unresolved.length > 0) {
      findings.push({
        code: 'GUEST_DEVICE_NAME_UNRESOLVED',
        severity: 'warning',
        subject: 'guest',
        message: `${path} names ${unresolved.length} disks by order of discovery, and their contents do not tell which`,
        evidence: unresolved.join(', '),
        action: 'replace these names by UUIDs in the source VM, or check the mounts after the restore',
      });
    }
  }
  return { edits, findings };
}

/** Commands that make GRUB's menu appear on the serial port as well, with BIOS and UEFI; without the port they do nothing. */
function grubTerminal(unit: string): { readonly now: string; readonly defaults: readonly string[] } {
  const serial = `serial --unit=${unit} --speed=115200`;
  const append = 'terminal_input --append serial; terminal_output --append serial';
  return {
    now: `if ${serial}; then ${append}; fi`,
    defaults: ['GRUB_TERMINAL="console serial"', `GRUB_SERIAL_COMMAND="${serial}"`],
  };
}

function consoleEdits(guest: GuestFacts, console: string, args: readonly string[]): readonly GuestEdit[] {
  const reason = `the target shows ${console}; without it a boot problem cannot be seen`;
  const paths = guest.boot?.configPaths ?? [];
  const unit = /^ttyS(\d)$/.exec(console)?.[1];
  const terminal = unit === undefined ? null : grubTerminal(unit);
  const edits = paths.flatMap((path): GuestEdit[] => {
    const forKernel: GuestEdit = { kind: 'add-kernel-arguments', path, arguments: args, reason };
    return terminal !== null && path.endsWith('/grub.cfg')
      ? [forKernel, { kind: 'add-lines', path, lines: [terminal.now], reason }]
      : [forKernel];
  });
  if (edits.length === 0) return [];
  const lines = [`GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${args.join(' ')}"`, ...(terminal?.defaults ?? [])];
  const path = 'etc/default/grub.d/90-ascend-console.cfg';
  return [...edits, ...grubDefaultsEdits({ guest, path, lines, reason })];
}

/** Plans that boot loader and kernel speak on the target's serial console. */
export function planConsole(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const console = needs.serialConsole;
  if (console === null || guest.boot === undefined || guest.boot.consoles.includes(console)) {
    return nothingPlanned;
  }
  const args = ['console=tty0', `console=${console},115200n8`];
  const edits = consoleEdits(guest, console, args);
  const finding: Finding = {
    code: 'GUEST_CONSOLE_ABSENT',
    severity: edits.length > 0 ? 'fixed' : 'warning',
    subject: 'guest',
    message: `the kernel does not use the serial console ${console}`,
    evidence: guest.boot.configPaths.join(', ') || 'no boot loader configuration was found',
    action:
      edits.length > 0
        ? 'the console is added to boot loader and kernel command line on the overlay'
        : `add console=${console},115200n8 to the kernel command line after the restore`,
  };
  return { edits, findings: [finding] };
}
