import type { VmDevice, VmDeviceKind } from '@ascend/domain';
import type { DraftNic, SpecNode } from '@ascend/vm-spec';

function numbered(root: SpecNode, prefix: string): readonly SpecNode[] {
  const pattern = new RegExp(`^${prefix}(\\d{1,3})$`);
  return root
    .names()
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    })
    .toSorted((a, b) => a.number - b.number)
    .map(({ name }) => root.child(name));
}

function isPresent(node: SpecNode): boolean {
  if (node.child('present').boolean() === true) return true;
  node.ignore();
  return false;
}

const nicHostSettings = [
  'connectiontype',
  'startconnected',
  'allowguestconnectioncontrol',
  'wakeonpcktrcv',
  'pcislotnumber',
  'generatedaddressoffset',
  'uptcompatibility',
  'linkstatepropagation.enable',
  'dvs.switchid',
  'dvs.portid',
  'dvs.connectionid',
  'shares',
  'features',
];

/** The interfaces by number. An address that somebody set counts before one that the host made. */
export function readNics(root: SpecNode): readonly DraftNic[] {
  return numbered(root, 'ethernet')
    .filter(isPresent)
    .map((node) => {
      node.ignoring(...nicHostSettings);
      const type = node.child('addresstype').text()?.toLowerCase() ?? 'generated';
      const [set, made] = [node.child('address').text(), node.child('generatedaddress').text()];
      const network = [
        node.child('networkname').text(),
        node.child('dvs.portgroupid').text(),
        node.child('vnet').text(),
      ];
      return {
        mac: type === 'static' ? (set ?? made) : (made ?? set),
        network: network.find((name) => name !== null) ?? null,
        // Without a word the platform takes its oldest model.
        model: node.child('virtualdev').text()?.toLowerCase() ?? 'vlance',
      };
    });
}

const deviceHostSettings = [
  'pcislotnumber',
  'startconnected',
  'clientdevice',
  'autodetect',
  'filetype',
  'yieldonmsrread',
  'starttype',
  'allowguestconnectioncontrol',
  'trynorxloss',
];

const simple: readonly (readonly [prefix: string, kind: VmDeviceKind])[] = [
  ['floppy', 'floppy'],
  ['serial', 'serial-port'],
  ['parallel', 'parallel-port'],
];

function describe(name: string, words: readonly (string | null)[]): string {
  return [name, ...words.filter((word) => word !== null)].join(' ');
}

function readPassthrough(root: SpecNode): readonly VmDevice[] {
  return numbered(root, 'pcipassthru')
    .filter(isPresent)
    .map((node) => {
      node.ignoring('pcislotnumber', 'systemid', 'mapped', 'allowedvendorids', 'allowedclassids');
      const profile = node.child('vgpu').text() ?? node.child('virtualdev').text();
      const ids = [node.child('vendorid').text(), node.child('deviceid').text(), node.child('id').text()];
      const isGpu = node.child('vgpu').exists || /vgpu|vmiop/i.test(profile ?? '');
      return isGpu
        ? { kind: 'gpu' as const, description: profile ?? 'vgpu' }
        : { kind: 'pci-passthrough' as const, description: describe(node.path, ids) };
    });
}

/** What the VM has beside disk slots and network interfaces. */
export function readDevices(root: SpecNode): readonly VmDevice[] {
  const plain = simple.flatMap(([prefix, kind]) =>
    numbered(root, prefix)
      .filter(isPresent)
      .map((node) => {
        node.ignoring(...deviceHostSettings);
        const words = [node.child('filename').text(), node.child('devicename').text()];
        return { kind, description: describe(node.path, words) };
      }),
  );
  const sound = root.child('sound');
  const hasSound = isPresent(sound);
  sound.ignoring(...deviceHostSettings, 'filename');
  const model = sound.child('virtualdev').text() ?? 'sb16';
  const usb = root.child('usb');
  const attached = usb.names().filter((name) => name.startsWith('autoconnect.device'));
  usb.ignoring('present', 'ehci.present', 'pcislotnumber', 'generic.autoconnect', 'generic.allowhid');
  return [
    ...plain,
    ...(hasSound ? [{ kind: 'sound' as const, description: model }] : []),
    ...attached.map((name) => ({
      kind: 'usb-passthrough' as const,
      description: usb.child(name).text() ?? name,
    })),
    ...readPassthrough(root),
  ];
}
