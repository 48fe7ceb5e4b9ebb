import type { GuestFacts, GuestNeeds, LinuxFacts, PlannedNic } from '@ascend/domain';
import { applyTextEdit } from '../edits/applyTextEdit.ts';
import { editPlace, isTextEdit, type GuestEdit } from '../edits/guestEdit.ts';
import { planEdits, type PlanEditsParams } from '../edits/planEdits.ts';
import type { PlannedEdits } from '../edits/planFinding.ts';

/** Linux facts of a guest in which nothing is special. */
export const linux: LinuxFacts = {
  init: 'systemd',
  agents: [],
  selinux: 'absent',
  cloudInit: null,
  networkFiles: [{ path: 'etc/network/interfaces', stack: 'ifupdown', addresses: ['10.0.2.77', '10.0.2.2'] }],
  persistentNames: [],
  dhcpClient: true,
  blockedModules: [],
  deviceCaches: [],
  systemDiskSwaps: [],
  rcLocal: null,
};

/** A guest that is ready for the small target but for its network. */
export const targetGuest: GuestFacts = {
  family: 'linux',
  distribution: 'debian',
  version: '12',
  arch: 'x86_64',
  hostname: 'pgtest1',
  root: { diskIndex: 0, offsetBytes: 1048576, sizeBytes: 1e9, fileSystem: 'ext4' },
  firmware: 'bios',
  initramfsTool: 'initramfs-tools',
  kernels: [
    {
      version: '6.1.0-10',
      initramfsPath: '/boot/initrd.img-6.1.0-10',
      initramfsModules: ['nvme', 'ena'],
      availableModules: ['nvme', 'ena'],
      builtinModules: [],
    },
  ],
  nics: [{ name: 'ens192', mac: null, addresses: ['10.0.2.77/24'], configPath: 'etc/network/interfaces' }],
  deviceNames: [],
  boot: {
    configPaths: ['boot/grub/grub.cfg'],
    consoles: ['ttyS0'],
    kernelArguments: { shared: ['ro', 'quiet'], some: ['ro', 'quiet', 'crashkernel=auto'] },
    grubDefaults: true,
    separateMounts: [],
    systemdVersion: 252,
    cloudInit: false,
  },
  linux,
  remarks: [],
};

// What a small target needs.
const targetNeeds: GuestNeeds = {
  linuxStorageModules: ['nvme'],
  linuxNetworkModules: ['ena'],
  linuxOptionalModules: [],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
};

/** The one card of the new VM, with the MAC of the old one. */
export const nic: PlannedNic = {
  nicIndex: 0,
  mac: '00:50:56:AA:BB:01',
  model: 'card',
  network: 'default',
  guestName: null,
  addresses: ['10.0.2.77/24'],
  rule: 'keep-mac-and-address',
};

/** A card whose MAC and address the platform gives. */
export const cloudNic: PlannedNic = { ...nic, mac: null, rule: 'platform-dhcp' };

/** What differs from the small guest and target. */
export interface TargetChanges extends Partial<Omit<PlanEditsParams, 'guest' | 'needs'>> {
  readonly guest?: Partial<GuestFacts>;
  readonly linux?: Partial<LinuxFacts>;
  readonly needs?: Partial<GuestNeeds>;
}

/** Plans the small guest for the small target, both changed. */
export function planTarget(changes: TargetChanges): PlannedEdits {
  return planEdits({
    nics: [],
    ...changes,
    guest: { ...targetGuest, ...changes.guest, linux: { ...linux, ...changes.linux } },
    needs: { ...targetNeeds, ...changes.needs },
  });
}

/** `severity CODE` of each finding. */
export function codes(result: PlannedEdits): readonly string[] {
  return result.findings.map((finding) => `${finding.severity} ${finding.code}`);
}

/** `kind path` of each edit. */
export function short(edits: readonly GuestEdit[]): readonly string[] {
  return edits.map((edit) => `${edit.kind} ${editPlace(edit)}`);
}

/** What the text edits of `path` make of `before`. */
export function textOf(
  edits: readonly GuestEdit[],
  path: string,
  before: string | null = null,
): string | null {
  return edits
    .filter(isTextEdit)
    .filter((edit) => edit.path === path)
    .reduce((text, edit) => applyTextEdit(text, edit), before);
}
