import type { RegistryData } from './registryValue.ts';

/** A hive file of `Windows\System32\config`. */
export type HiveName = 'SYSTEM' | 'SOFTWARE' | 'DRIVERS';

interface HivePlaced {
  readonly hive: HiveName;
  /** From the root of the hive file, parts divided by `\`: no `HKEY_LOCAL_MACHINE`, no `CurrentControlSet`. */
  readonly key: string;
  /** Why, in a sentence for the operator. */
  readonly reason: string;
}

/** Sets one value; keys on the way are made. */
export interface SetRegistryValueEdit extends HivePlaced {
  readonly kind: 'set-registry-value';
  /** Empty for the default value. */
  readonly name: string;
  readonly value: RegistryData;
}

/** Removes one value; nothing happens when it is not there. */
export interface DeleteRegistryValueEdit extends HivePlaced {
  readonly kind: 'delete-registry-value';
  readonly name: string;
}

/** Removes a key with everything below it; nothing happens when it is not there. */
export interface DeleteRegistryKeyEdit extends HivePlaced {
  readonly kind: 'delete-registry-key';
}

/** One reasoned change of the registry. Data only. */
export type RegistryEdit = SetRegistryValueEdit | DeleteRegistryValueEdit | DeleteRegistryKeyEdit;
