import type { WindowsAgentNeed, WindowsAgentPackage } from './capability.ts';

function msi(arch: WindowsAgentPackage['arch'], pattern: string): WindowsAgentPackage {
  return { arch, pattern, kind: 'msi' };
}

/**
 * Agents that several targets share. File and service names are those of their installers (general knowledge, not read from a
 * page of the vendors).
 */
export const windowsAgents = {
  qemuGuestAgent: {
    name: 'qemu-guest-agent',
    services: ['QEMU-GA'],
    packages: [msi('amd64', String.raw`qemu-ga-x86_64\.msi`), msi('x86', String.raw`qemu-ga-i386\.msi`)],
  },
  // It takes names, users and passwords from the platform at its first start: whoever wants that puts its package there.
  cloudbaseInit: {
    name: 'cloudbase-init',
    services: ['cloudbase-init'],
    packages: [
      msi('amd64', String.raw`CloudbaseInitSetup_[\w.]*x64\.msi`),
      msi('x86', String.raw`CloudbaseInitSetup_[\w.]*x86\.msi`),
    ],
    optional: true,
  },
} as const satisfies Readonly<Record<string, WindowsAgentNeed>>;
