import type { SpecNode } from '@ascend/vm-spec';

/** One element of the virtual hardware (CIM_ResourceAllocationSettingData; DSP0243, general knowledge). */
export interface OvfItem {
  readonly node: SpecNode;
  readonly instanceId: string | null;
  /** CIM ResourceType, e.g. 17 = disk. */
  readonly type: number | null;
  readonly subType: string | null;
  readonly parent: string | null;
  readonly address: string | null;
  readonly addressOnParent: number | null;
  readonly hostResource: string | null;
  readonly connection: string | null;
  readonly quantity: number | null;
  readonly units: string | null;
  readonly name: string | null;
}

const meaningless = [
  '@required',
  '@configuration',
  '@bound',
  'AutomaticAllocation',
  'AutomaticDeallocation',
  'Caption',
  'Config',
  'ConsumerVisibility',
  'Description',
  'Generation',
  'Limit',
  'MappingBehavior',
  'OtherResourceType',
  'PoolID',
  'Reservation',
  'VirtualQuantityUnits',
  'Weight',
];

function readItem(node: SpecNode): OvfItem {
  node.ignoring(...meaningless);
  const text = (name: string) => node.child(name).text();
  return {
    node,
    instanceId: text('InstanceID') ?? text('InstanceId'),
    type: node.child('ResourceType').number(),
    subType: text('ResourceSubType'),
    parent: text('Parent'),
    address: text('Address'),
    addressOnParent: node.child('AddressOnParent').number(),
    hostResource: text('HostResource'),
    connection: text('Connection'),
    quantity: node.child('VirtualQuantity').number(),
    units: text('AllocationUnits') ?? text('VirtualQuantityUnits'),
    name: text('ElementName'),
  };
}

function holdsFor(node: SpecNode, configuration: string | null): boolean {
  const wanted = node.child('@configuration').text();
  if (wanted === null) return true;
  return configuration !== null && wanted.split(/\s+/).includes(configuration);
}

/**
 * The hardware for one deployment option: `Item`, and `StorageItem` and `EthernetPortItem` of OVF 2. Bounds and what belongs to another
 * option are left out; an item for the option takes the place of the general one with its id.
 */
export function readItems(hardware: SpecNode, configuration: string | null): readonly OvfItem[] {
  const nodes = ['Item', 'StorageItem', 'EthernetPortItem'].flatMap((name) => hardware.child(name).items());
  const byId = new Map<string, OvfItem>();
  for (const [index, node] of nodes.entries()) {
    if (node.child('@bound').text() !== null || !holdsFor(node, configuration)) {
      node.ignore();
      continue;
    }
    const item = readItem(node);
    byId.set(item.instanceId ?? `#${index}`, item);
  }
  return [...byId.values()];
}

const wordPowers: Readonly<Record<string, number>> = { k: 10, m: 20, g: 30, t: 40 };

/** `byte * 2^20`, `MegaBytes`, `MB` → bytes of one unit (DSP0243, general knowledge; words are older writers'); null = not understood. */
export function unitBytes(units: string | null): number | null {
  const text = units?.toLowerCase().replaceAll(/\s+/g, '') ?? '';
  if (text === 'byte' || text === 'bytes') return 1;
  const [, base = '', power = ''] = /^bytes?\*(\d{1,4})\^(\d{1,2})$/.exec(text) ?? [];
  if (base !== '') return Number(base) ** Number(power);
  const word = /^([kmgt])(?:ilo|ega|iga|era)?i?b(?:ytes?)?$/.exec(text)?.[1] ?? '';
  const found = Object.hasOwn(wordPowers, word) ? wordPowers[word] : undefined;
  return found === undefined ? null : 2 ** found;
}
