import type { VmDevice, VmDeviceKind } from '@ascend/domain';
import { normalMac, type DraftNic } from '@ascend/vm-spec';
import type { OvfItem } from './ovfItem.ts';

// CIM ResourceType, general knowledge: those that a new VM may need again.
const kindByType: Readonly<Record<string, VmDeviceKind>> = {
  '7': 'other',
  '8': 'other',
  '9': 'other',
  '14': 'floppy',
  '15': 'cdrom',
  '16': 'cdrom',
  '18': 'other',
  '21': 'serial-port',
  '22': 'parallel-port',
  '35': 'sound',
};

// Other devices (ResourceType 1) by the words that vSphere writes into ResourceSubType.
const kindBySubType: readonly (readonly [RegExp, VmDeviceKind | null])[] = [
  [/vmci|vtpm|keyboard|pointing/i, null],
  [/vgpu|vmiop/i, 'gpu'],
  [/passth(?:ro)?ugh|passthru|pci/i, 'pci-passthrough'],
  [/sound|audio/i, 'sound'],
  [/watchdog|wdt/i, 'watchdog'],
];

function kindOf({ type, subType }: OvfItem): VmDeviceKind | null {
  if (type === 1) {
    const known = kindBySubType.find(([pattern]) => pattern.test(subType ?? ''));
    return known === undefined ? 'other' : known[1];
  }
  const key = String(type);
  return Object.hasOwn(kindByType, key) ? (kindByType[key] ?? null) : null;
}

/** What the VM has beside disks and network interfaces. */
export function readDevices(items: readonly OvfItem[]): readonly VmDevice[] {
  return items.flatMap((item) => {
    const kind = kindOf(item);
    const words = [item.name, item.subType].filter((word) => word !== null);
    return kind === null ? [] : [{ kind, description: words.join(', ') || kind }];
  });
}

/** Has it a TPM? vSphere 7 and later write one as another device (ResourceType 1) of sub type `vmware.vtpm`. */
export function hasTpm(items: readonly OvfItem[]): boolean {
  return items.some(({ type, subType }) => type === 1 && /vtpm/i.test(subType ?? ''));
}

/** The interfaces in the order of the document; `macs`: what another section tells, by the same order. */
export function readNics(items: readonly OvfItem[], macs: readonly (string | null)[]): readonly DraftNic[] {
  return items
    .filter(({ type }) => type === 10)
    .map(({ address, connection, subType }, index) => ({
      // Beside MAC addresses writers put slot numbers there.
      mac:
        address !== null && (normalMac(address) !== null || /[:.-]/.test(address))
          ? address
          : (macs[index] ?? null),
      network: connection,
      model: subType?.toLowerCase().split(/\s+/)[0] ?? null,
    }));
}
