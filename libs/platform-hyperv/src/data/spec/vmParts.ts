import type { SpecNode } from '@ascend/vm-spec';

/** A list; Windows PowerShell 5.1 writes some as `{"value": […], "Count": n}`. */
export function listOf(node: SpecNode): readonly SpecNode[] {
  const isWrapped = node.child('value').exists && node.child('Count').exists;
  if (!isWrapped) return node.items();
  node.ignoring('Count');
  return node.child('value').items();
}

/** The answers of several cmdlets about one VM. */
export interface VmParts {
  /** What Get-VM gave. */
  readonly vm: SpecNode;
  /** The first that is there, beside the VM or as a member of it: `VMHardDiskDrive`, `HardDrives`. */
  part(...names: readonly string[]): SpecNode;
}

/** Finds the parts of an object of Get-VM, or of one that holds the answers of several cmdlets by their nouns. */
export function partsOf(node: SpecNode): VmParts {
  const vm = node.child('VM').exists ? node.child('VM') : node;
  return {
    vm,
    part: (...names) => {
      const places = names.flatMap((name) =>
        vm === node ? [node.child(name)] : [node.child(name), vm.child(name)],
      );
      const found = places.find((place) => place.exists) ?? node.child(names[0] ?? '');
      // The same drives once more: with less in them, as Get-VM holds them.
      for (const place of places) if (place !== found) place.ignore();
      return found;
    },
  };
}
