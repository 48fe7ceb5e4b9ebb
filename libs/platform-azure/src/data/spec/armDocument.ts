import type { SpecNode } from '@ascend/vm-spec';

/** Resources of one document, by what they are. */
export interface ArmDocument {
  readonly vms: readonly SpecNode[];
  /** By name in lower case. */
  readonly nics: ReadonlyMap<string, SpecNode>;
  /** By name in lower case. */
  readonly disks: ReadonlyMap<string, SpecNode>;
  /** A text, with `[parameters('x')]` and `[variables('x')]` replaced where the template tells a literal. */
  readonly text: (node: SpecNode) => string | null;
}

/** A member of a resource: below `properties` as the API has it, or beside the name as the command line shows it. */
export function member(resource: SpecNode, ...names: readonly string[]): SpecNode {
  const inside = resource.child('properties', ...names);
  return inside.exists ? inside : resource.child(...names);
}

/** `web-nic` of `/subscriptions/…/networkInterfaces/web-nic` and of `[resourceId('…/networkInterfaces', 'web-nic')]`, in lower case. */
export function lastPart(id: string | null): string | null {
  const inner = /,\s*'([^']{1,200})'\s*\)\s*\]$/.exec(id?.slice(0, 2000) ?? '')?.[1];
  return (inner ?? id)?.split('/').at(-1)?.toLowerCase() ?? null;
}

function resourcesOf(root: SpecNode): readonly SpecNode[] {
  if (
    root.child('resources').exists &&
    !root.child('hardwareProfile').exists &&
    !root.child('location').exists
  ) {
    root.ignoring('$schema', 'contentVersion', 'outputs', 'functions', 'metadata', 'apiProfile');
    return root.child('resources').items();
  }
  root.ignoring('nextLink');
  return root.child('value').exists ? root.child('value').items() : root.items();
}

function isOf(resource: SpecNode, type: string): boolean {
  return resource.child('type').text()?.toLowerCase() === type;
}

function resolver(root: SpecNode): (node: SpecNode) => string | null {
  const [parameters, variables] = [root.child('parameters'), root.child('variables')];
  return (node) => {
    const text = node.text();
    const reference = /^\[(parameters|variables)\('([\w-]{1,100})'\)\]$/.exec(text ?? '');
    if (reference === null) return text;
    const [, kind, name = ''] = reference;
    return kind === 'parameters'
      ? parameters.child(name, 'defaultValue').text()
      : variables.child(name).text();
  };
}

/**
 * Takes a document apart: one VM, a list, an answer with `value`, or a template with `resources`; as ARM has them or as the command
 * line shows them. Network interfaces and disks may stand among them.
 */
export function openDocument(root: SpecNode): ArmDocument {
  const resources = resourcesOf(root);
  const text = resolver(root);
  const nics = resources.filter((resource) => isOf(resource, 'microsoft.network/networkinterfaces'));
  const disks = resources.filter((resource) => isOf(resource, 'microsoft.compute/disks'));
  const vms = resources.filter(
    (resource) =>
      isOf(resource, 'microsoft.compute/virtualmachines') || member(resource, 'hardwareProfile').exists,
  );
  const known = new Set([...nics, ...disks, ...vms]);
  // A template holds what belongs to no VM: networks, addresses, rules, extensions.
  for (const resource of resources)
    if (!known.has(resource) && resource.child('type').exists) resource.ignore();
  const byName = (list: readonly SpecNode[]) =>
    new Map(list.map((resource) => [lastPart(text(resource.child('name'))) ?? resource.path, resource]));
  return { vms, nics: byName(nics), disks: byName(disks), text };
}

/** After reading: what parameters and variables say elsewhere is of no meaning, nor are resources of other VMs. */
export function closeDocument(root: SpecNode, { nics, disks }: ArmDocument): void {
  root.ignoring('parameters', 'variables');
  for (const resource of [...nics.values(), ...disks.values()]) resource.ignore();
}
