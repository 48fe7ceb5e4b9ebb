import type { Finding, PlannedNic, WindowsEspFacts, WindowsFacts, WindowsNeeds } from '@ascend/domain';
import type { PackageFolder } from '../../packages/packageFolder.ts';
import type { DriverFolder } from '../drivers/driverFolder.ts';
import type { WindowsEdit } from './windowsEdit.ts';

/** The boot loaders on the EFI system partition. */
type EspPrograms = Pick<WindowsEspFacts, 'bootManager' | 'fallback'>;

/** What a plan for a Windows guest is made from. Everything is data that was read before. */
export interface WindowsPlanParams {
  readonly facts: WindowsFacts;
  readonly needs: WindowsNeeds;
  readonly networkIdentity: 'pin-by-mac' | 'platform-dhcp';
  readonly nics: readonly PlannedNic[];
  /** Configured driver packages; null = none configured. */
  readonly drivers: DriverFolder | null;
  /** Configured packages of agents; null = none configured. */
  readonly packages: PackageFolder | null;
  /** null = the guest boots by BIOS. */
  readonly esp: EspPrograms | null;
  /** The operator allows editing a file system that was in use; its own log is dropped then. */
  readonly acceptDirtyFileSystem: boolean;
  /** The volume was opened with a key, so that encryption does not block. */
  readonly unlocked: boolean;
}

/** Edits with the findings that explain them. */
export interface PlannedWindows {
  readonly edits: readonly WindowsEdit[];
  readonly findings: readonly Finding[];
}

/** A finding about the guest. */
export function finding(
  code: Finding['code'],
  severity: Finding['severity'],
  text: { readonly message: string; readonly evidence: string; readonly action: string },
): Finding {
  return { code, severity, subject: 'guest', ...text };
}

/** Parts put together in order. */
export function joinPlans(parts: readonly PlannedWindows[]): PlannedWindows {
  return { edits: parts.flatMap((part) => part.edits), findings: parts.flatMap((part) => part.findings) };
}
