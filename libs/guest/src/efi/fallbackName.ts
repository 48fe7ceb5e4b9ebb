/** Name of the program that firmware starts from `EFI/BOOT` when it has no boot entries (UEFI 2.10 §3.5.1.1), by the name of the architecture in `uname -m` or in a Windows registry. */
const suffixes: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  amd64: 'x64',
  i386: 'ia32',
  x86: 'ia32',
  i686: 'ia32',
  aarch64: 'aa64',
  arm64: 'aa64',
};

/** How boot programs for an architecture end, e.g. `x64`; null = not known. */
export function efiSuffix(arch: string | null): string | null {
  return arch === null ? null : (suffixes[arch] ?? null);
}

/** The fallback program of an architecture, e.g. `EFI/BOOT/BOOTX64.EFI`. */
export function fallbackPath(suffix: string): string {
  return `EFI/BOOT/BOOT${suffix.toUpperCase()}.EFI`;
}
