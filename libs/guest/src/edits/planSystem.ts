import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import { moduleName } from '../initramfs/initramfs.ts';
import { asidePath, type GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

/** Plans that no `blacklist` line keeps a module of the target from loading. */
export function planBlockedModules(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const wanted = new Set(
    [...needs.linuxStorageModules, ...needs.linuxNetworkModules, ...(needs.linuxUnblockedModules ?? [])].map(
      moduleName,
    ),
  );
  const blocked = (guest.linux?.blockedModules ?? []).filter(({ module }) => wanted.has(module));
  if (blocked.length === 0) return nothingPlanned;
  const edits = [...new Set(blocked.map(({ path }) => path))].map((path): GuestEdit => {
    const here = blocked.filter((entry) => entry.path === path);
    return {
      kind: 'replace-lines',
      path,
      replacements: Object.fromEntries(here.map(({ line }) => [line, `# Taken out by Ascend: ${line}`])),
      reason: `the target needs ${here.map(({ module }) => module).join(', ')}`,
    };
  });
  const finding = guestFinding({
    code: 'GUEST_MODULE_BLOCKED',
    severity: 'fixed',
    message: `${blocked.length} lines keep modules of the target from loading`,
    evidence: blocked.map(({ path, line }) => `${path}: ${line}`).join('; '),
    action: 'the lines are made comments on the overlay',
  });
  return { edits, findings: [finding] };
}

/** Plans that remembered device names of the old hardware are forgotten. */
export function planDeviceCaches(guest: GuestFacts): PlannedEdits {
  const paths = guest.linux?.deviceCaches ?? [];
  if (paths.length === 0) return nothingPlanned;
  const reason = 'it names the disks of the old hardware; the guest writes it anew';
  const finding = guestFinding({
    code: 'GUEST_DEVICE_CACHE_STALE',
    severity: 'fixed',
    message: `${paths.length} files remember the disks of the old hardware`,
    evidence: paths.join(', '),
    action: 'they are set aside on the overlay',
  });
  return {
    edits: paths.map((path) => ({ kind: 'set-aside', path, to: asidePath(path), reason })),
    findings: [finding],
  };
}

/** Tells where swap lies that the target advises against. Nothing is changed: a guest may rely on it. */
export function planSwap(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const swaps = guest.linux?.systemDiskSwaps ?? [];
  if (needs.swap !== 'warn-on-system-disk' || swaps.length === 0) return nothingPlanned;
  const finding = guestFinding({
    code: 'GUEST_SWAP_ON_SYSTEM_DISK',
    severity: 'warning',
    message: `the guest swaps to its system disk in ${swaps.length} places`,
    evidence: swaps.join(', '),
    action: 'move the swap to a local disk of the new VM when its speed matters',
  });
  return { edits: [], findings: [finding] };
}

/** Plans new labels when `edits` write files of a guest with SELinux: files written from outside have none. */
export function planRelabel(guest: GuestFacts, needs: GuestNeeds, edits: readonly GuestEdit[]): PlannedEdits {
  const mode = guest.linux?.selinux ?? 'absent';
  const labelled = mode === 'enforcing' || mode === 'permissive';
  if (!labelled || edits.length === 0 || needs.selinuxRelabel === false) return nothingPlanned;
  const edit: GuestEdit = {
    kind: 'write-file',
    path: '.autorelabel',
    // Read by the guest as options of fixfiles: F also resets labels that look right.
    content: '-F\n',
    mode: 0o644,
    reason: `SELinux is ${mode}, and files written from outside carry no label`,
  };
  const finding = guestFinding({
    code: 'GUEST_RELABEL_NEEDED',
    severity: 'fixed',
    message: `SELinux is ${mode} and ${edits.length} edits write files`,
    evidence: 'etc/selinux/config',
    action: 'the guest labels its files at the first boot and then boots once more',
  });
  return { edits: [edit], findings: [finding] };
}
