import { makeReader, noSuchVm, type SpecDraft, type SpecNode } from '@ascend/vm-spec';
import { archOfGuest, canonicalOs } from './guestOs.ts';
import { readDevices, readNics } from './vmxDevices.ts';
import { readStorage } from './vmxDisks.ts';
import { parseVmx } from './vmxText.ts';

/** First parts of keys that only steer the old host, or name files and ids of the old VM. */
const hostKeys = [
  '',
  'annotation',
  'cleanshutdown',
  'config',
  'cpuid',
  'disk',
  'ehci',
  'extendedconfigfile',
  'guestinfo',
  'hpet0',
  'isolation',
  'log',
  'mainmem',
  'managedvm',
  'migrate',
  'mks',
  'monitor',
  'msg',
  'numa',
  'nvram',
  'powertype',
  'priority',
  'remotedisplay',
  'replay',
  'sched',
  'softpoweroff',
  'svga',
  'time',
  'toolscripts',
  'tools',
  'toolsinstallmanager',
  'unity',
  'usb_xhci',
  'uuid',
  'vc',
  'vhv',
  'viv',
  'vm',
  'vmotion',
  'vmxstats',
  'virtualhw',
  'workingdir',
];
const hostPatterns =
  /^(?:pcibridge\d+|vmci\d+|usb(?:_xhci)?:\d+|vmplatform|hard-disk|ich7m|smc|acpi|chipset|rtc|snapshot)$/;

function ignoreHostKeys(root: SpecNode): void {
  root.ignoring(...hostKeys, ...root.names().filter((name) => hostPatterns.test(name)));
}

function mebibytes(node: SpecNode): number | null {
  if (node.text() === null) return null;
  return (node.number() ?? Number.NaN) * 2 ** 20;
}

function draftOf(root: SpecNode): SpecDraft {
  const guest = root.child('guestos').text();
  const firmware = root.child('firmware').text()?.toLowerCase();
  const storage = readStorage(root);
  const hasTpm = [root.child('vtpm', 'present'), root.child('managedvm', 'autoaddvtpm')];
  const cpus = root.child('numvcpus').text() === null ? 1 : root.child('numvcpus').number();
  const draft: SpecDraft = {
    name: root.child('displayname').text(),
    // A file without the key has one CPU.
    cpuCount: cpus ?? Number.NaN,
    coresPerSocket: root.child('cpuid', 'corespersocket').number(),
    memoryBytes: mebibytes(root.child('memsize')),
    // The platform writes the key for EFI alone.
    firmware: firmware === 'efi' ? 'uefi' : 'bios',
    secureBoot: root.child('uefi', 'secureboot.enabled').boolean(),
    tpm: hasTpm.some((node) => node.boolean() === true || node.text()?.toLowerCase() === 'software'),
    disks: storage.disks,
    nics: readNics(root),
    osId: guest === null ? null : (canonicalOs(guest) ?? guest),
    notes: root.child('annotation').text(),
    cpuArch: guest === null ? null : archOfGuest(guest),
    devices: [...storage.devices, ...readDevices(root)],
  };
  root.child('vtpm').ignore();
  ignoreHostKeys(root);
  return draft;
}

/** VMX files of ESXi, Workstation and Fusion. Sizes of disks are not in them: the finding says that the backup's count. */
export const vmxReader = makeReader({
  format: 'vmx',
  platform: 'vmware',
  recognise: ({ text }) => {
    const key =
      /^[ \t]*(virtualHW\.version|config\.version|displayName|guestOS|scsi0(?::\d+)?\.\w+)[ \t]*=[ \t]*"/im.exec(
        text.slice(0, 65_536),
      )?.[1];
    return key === undefined || /^\s*[<{[]/.test(text) ? null : `the key ${key}`;
  },
  parse: parseVmx,
  draft: (root, selector) => {
    const names = [
      root.child('displayname').text(),
      root.child('uuid', 'bios').text(),
      root.child('vc', 'uuid').text(),
    ];
    if (selector !== null && !names.includes(selector))
      throw noSuchVm(
        'vmx',
        selector,
        names.filter((name) => name !== null),
      );
    return { draft: draftOf(root), findings: [] };
  },
});
