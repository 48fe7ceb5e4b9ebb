import type { LinuxAgentNeed } from './capability.ts';

/** Agents that several targets share. Package and unit names are those of Debian 12, Ubuntu 22.04 and RHEL 9. */
export const linuxAgents = {
  qemuGuestAgent: {
    id: 'qemu-guest-agent',
    packages: {
      deb: String.raw`qemu-guest-agent_[\w.+~%:-]+\.deb`,
      rpm: String.raw`qemu-guest-agent-\d[\w.+~^-]*\.rpm`,
    },
    services: ['qemu-guest-agent.service'],
  },
} as const satisfies Readonly<Record<string, LinuxAgentNeed>>;
