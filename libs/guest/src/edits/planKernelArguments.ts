import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import { consolesOf } from '../linux/kernelArguments.ts';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

const dropIn = 'etc/default/grub.d/90-ascend-arguments.cfg';
const variables = ['GRUB_CMDLINE_LINUX', 'GRUB_CMDLINE_LINUX_DEFAULT'];

/** Shell lines that take words off a variable of grub-mkconfig; the loop catches neighbours that share a blank. */
function removalLines(args: readonly string[]): readonly string[] {
  const words = args.join('|');
  return variables.map(
    (name) => `${name}="$(echo " $${name} " | sed -E ':a;s/ (${words})(=[^ ]*)? / /;ta;s/^ +//;s/ +$//')"`,
  );
}

/** Edits so that grub-mkconfig keeps what was changed in the boot loader's file: a drop-in, or lines at the end. */
export function grubDefaultsEdits(params: {
  readonly guest: GuestFacts;
  readonly path: string;
  readonly lines: readonly string[];
  readonly reason: string;
}): readonly GuestEdit[] {
  const { guest, path, lines, reason } = params;
  if (guest.boot?.grubDefaults !== true) return [];
  if (guest.boot.grubDropIns === false) {
    return [{ kind: 'add-lines', path: 'etc/default/grub', lines, reason }];
  }
  const content = ['# Written by Ascend.', ...lines, ''].join('\n');
  return [{ kind: 'write-file', path, content, mode: 0o644, reason }];
}

/** Those of `unwanted` that some kernel command line has; a name alone means any value. */
function hindering(guest: GuestFacts, unwanted: readonly string[]): readonly string[] {
  const words = guest.boot?.kernelArguments?.some ?? [];
  return unwanted.filter((argument) =>
    words.some((word) => word === argument || word.startsWith(`${argument}=`)),
  );
}

/** Those of `wanted` that some kernel command line lacks; consoles count by name, whatever their speed. */
function lacking(guest: GuestFacts, wanted: readonly string[]): readonly string[] {
  const shared = guest.boot?.kernelArguments?.shared ?? [];
  const consoles = guest.boot?.consoles ?? [];
  return wanted.filter((argument) => {
    const names = consolesOf(argument);
    return names.length > 0 ? !names.every((name) => consoles.includes(name)) : !shared.includes(argument);
  });
}

/**
 * Without what costs more than it helps: initramfs-tools sleeps for `rootdelay` seconds at every boot, even if the root is there (its
 * `init`), and waits for a late root without being told. Others take it for the longest wait.
 */
function bearable(guest: GuestFacts, wanted: readonly string[]): readonly string[] {
  if (guest.initramfsTool !== 'initramfs-tools') return wanted;
  return wanted.filter((argument) => !argument.startsWith('rootdelay='));
}

interface ArgumentChanges {
  readonly missing: readonly string[];
  readonly unfit: readonly string[];
}

function argumentEdits(guest: GuestFacts, { missing, unfit }: ArgumentChanges): readonly GuestEdit[] {
  const paths = guest.boot?.configPaths ?? [];
  if (paths.length === 0) return [];
  const removal = unfit.length === 0 ? null : `${unfit.join(', ')} hinder on the target`;
  const addition = missing.length === 0 ? null : `the target needs ${missing.join(', ')}`;
  const edits: GuestEdit[] = [];
  for (const path of paths) {
    if (removal !== null) {
      edits.push({ kind: 'remove-kernel-arguments', path, arguments: unfit, reason: removal });
    }
    if (addition !== null) {
      edits.push({ kind: 'add-kernel-arguments', path, arguments: missing, reason: addition });
    }
  }
  const lines = [
    ...(removal === null ? [] : removalLines(unfit)),
    ...(addition === null ? [] : [`GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${missing.join(' ')}"`]),
  ];
  const reason = 'later kernels get the same command line';
  return [...edits, ...grubDefaultsEdits({ guest, path: dropIn, lines, reason })];
}

/** Plans that kernel command lines have what the target needs and nothing that hinders there. `more`: further arguments. */
export function planKernelArguments(
  guest: GuestFacts,
  needs: GuestNeeds,
  more: readonly string[] = [],
): PlannedEdits {
  const missing = lacking(guest, [...bearable(guest, needs.kernelArguments ?? []), ...more]);
  const unfit = hindering(guest, needs.unwantedKernelArguments ?? []);
  if (missing.length === 0 && unfit.length === 0) return nothingPlanned;
  const edits = argumentEdits(guest, { missing, unfit });
  const isFixed = edits.length > 0;
  const finding = guestFinding({
    code: 'GUEST_KERNEL_ARGUMENTS_UNFIT',
    severity: isFixed ? 'fixed' : 'warning',
    message: `kernel command lines lack ${missing.length} arguments and have ${unfit.length} that hinder`,
    evidence: [...missing.map((word) => `+ ${word}`), ...unfit.map((word) => `- ${word}`)].join(', '),
    action: isFixed
      ? `they are changed on the overlay in ${guest.boot?.configPaths.join(', ') ?? ''}`
      : 'no boot loader configuration was found: change the kernel command line after the restore',
  });
  return { edits, findings: [finding] };
}
