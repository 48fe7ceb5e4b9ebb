import type { PlannedNic, WindowsNeeds } from '@ascend/domain';
import type { AgentTable } from '../../windows/probe/agents.ts';
import type { WindowsPlanParams } from '../../windows/plan/planParams.ts';

/** Agents a probe is told to look for. */
export const phonyAgents: AgentTable = {
  'vmware-tools': ['VMTools', 'VGAuthService'],
  'qemu-guest-agent': ['QEMU-GA'],
  'cloudbase-init': ['cloudbase-init'],
};

/** Needs of a target with paravirtual disks and cards, like the family that virtio-win serves. */
export const phonyNeeds: WindowsNeeds = {
  bootServices: [['storahci', 'msahci'], ['atapi']],
  drivers: [
    {
      about: 'the paravirtual disk',
      hardwareIds: ['PCI\\VEN_1AF4&DEV_1001', 'PCI\\VEN_1AF4&DEV_1042'],
      bootCritical: true,
      installedServices: ['viostor'],
      inboxSinceBuild: null,
    },
    {
      about: 'the paravirtual network card',
      hardwareIds: ['PCI\\VEN_1AF4&DEV_1000'],
      bootCritical: false,
      installedServices: ['netkvm'],
      inboxSinceBuild: null,
    },
  ],
  disabledServices: ['VMTools', 'VGAuthService'],
  sanPolicy: 1,
  agents: [
    {
      name: 'qemu-guest-agent',
      services: ['QEMU-GA'],
      packages: [
        { arch: 'amd64', pattern: String.raw`qemu-ga-x86_64\.msi`, kind: 'msi' },
        { arch: 'x86', pattern: String.raw`qemu-ga-i386\.msi`, kind: 'msi' },
      ],
    },
  ],
};

/** The one planned card, with the MAC of the source unless told. */
export function phonyPlannedNic(mac: string | null): PlannedNic {
  return {
    nicIndex: 0,
    mac,
    model: 'virtio',
    network: 'default',
    guestName: null,
    addresses: [],
    rule: 'keep-mac-and-address',
  };
}

/** A plan's parameters but for the facts: nothing configured, one card. */
export function phonyPlanParams(nicMac: string | null): Omit<WindowsPlanParams, 'facts'> {
  return {
    needs: phonyNeeds,
    networkIdentity: 'pin-by-mac',
    nics: [phonyPlannedNic(nicMac)],
    drivers: null,
    packages: null,
    esp: null,
    acceptDirtyFileSystem: false,
    unlocked: false,
  };
}
