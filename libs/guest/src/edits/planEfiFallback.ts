import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import { efiSuffix, fallbackPath } from '../efi/fallbackName.ts';
import type { GuestEdit } from './guestEdit.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

/** Folders of boot programs that are not called like the distribution in os-release. */
const vendorFolders: Readonly<Record<string, readonly string[]>> = {
  rhel: ['redhat'],
  sles: ['sles', 'opensuse'],
  'opensuse-leap': ['opensuse'],
  'opensuse-tumbleweed': ['opensuse'],
  ol: ['redhat', 'oracle'],
  amzn: ['amzn', 'amazon'],
};

function parts(program: string): { readonly folder: string; readonly name: string } {
  const [, folder = '', name = ''] = program.toLowerCase().split('/');
  return { folder, name };
}

/** The programs of one vendor's folder, with the loader to start first: shim (Secure Boot), GRUB, systemd-boot. */
function chooseLoader(
  programs: readonly string[],
  suffix: string,
  distribution: string | null,
): { readonly loader: string; readonly companions: readonly string[] } | null {
  const names = [`shim${suffix}.efi`, `grub${suffix}.efi`, `systemd-boot${suffix}.efi`];
  const wanted = distribution === null ? [] : [...(vendorFolders[distribution] ?? []), distribution];
  const rank = (program: string): number => {
    const { folder, name } = parts(program);
    return (wanted.includes(folder) ? 0 : names.length) + names.indexOf(name);
  };
  const loaders = programs.filter((program) => names.includes(parts(program).name));
  const [loader] = loaders.toSorted((left, right) => rank(left) - rank(right));
  if (loader === undefined) return null;
  const { folder, name } = parts(loader);
  // shim starts the GRUB and the key manager that lie beside it, by these names.
  const beside = name.startsWith('shim') ? [`grub${suffix}.efi`, `mm${suffix}.efi`] : [];
  const companions = programs.filter(
    (program) => parts(program).folder === folder && beside.includes(parts(program).name),
  );
  return { loader, companions };
}

/**
 * Plans the boot program that firmware without boot entries starts: a new VM has empty variables, and the entry that the installer
 * made stayed in the old one.
 */
export function planEfiFallback(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const { esp } = guest;
  const suffix = efiSuffix(guest.arch);
  const bootsByUefi = guest.firmware !== 'bios' && (needs.firmware ?? ['uefi']).includes('uefi');
  if (esp === undefined || esp === null || suffix === null || !bootsByUefi) return nothingPlanned;
  const to = fallbackPath(suffix);
  if (esp.programs.some((program) => program.toLowerCase() === to.toLowerCase())) return nothingPlanned;
  const chosen = chooseLoader(esp.programs, suffix, guest.distribution);
  if (chosen === null) {
    const finding = guestFinding({
      code: 'GUEST_EFI_FALLBACK_ABSENT',
      severity: 'warning',
      message: `the EFI system partition has no ${to} and no boot loader that is known`,
      evidence: esp.programs.join(', ') || 'no programs below EFI',
      action: 'add a boot entry in the firmware of the new VM',
    });
    return { edits: [], findings: [finding] };
  }
  const { loader, companions } = chosen;
  const reason = 'the firmware of a new VM has no boot entries and takes the fallback';
  const copy = (from: string, name: string): GuestEdit => ({ kind: 'copy-efi-file', from, to: name, reason });
  const finding = guestFinding({
    code: 'GUEST_EFI_FALLBACK_ABSENT',
    severity: 'fixed',
    message: `the EFI system partition has no ${to}`,
    evidence: loader,
    action: "the guest's boot loader is copied there on the overlay",
  });
  return {
    edits: [...companions.map((from) => copy(from, `EFI/BOOT/${parts(from).name}`)), copy(loader, to)],
    findings: [finding],
  };
}
