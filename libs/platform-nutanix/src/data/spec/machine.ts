import type { SpecNode } from '@ascend/vm-spec';

/** CPUs of a VM: threads count as CPUs, and as cores of their socket, so that the number of sockets stays. */
export function cpusOf(
  sockets: SpecNode,
  cores: SpecNode,
  threads: SpecNode,
): { readonly cpuCount: number | null; readonly coresPerSocket: number | null } {
  const count = sockets.number();
  const perSocket = (cores.number() ?? 1) * (threads.number() ?? 1);
  return {
    cpuCount: count === null ? null : count * perSocket,
    coresPerSocket: count === null ? null : perSocket,
  };
}

/** The hardware clock is kept in a time zone by its IANA name; all but UTC are local times. */
export function clockOf(timeZone: string | null): 'utc' | 'local-time' | null {
  if (timeZone === null) return null;
  return /^(?:etc\/)?(?:utc|uct|gmt|zulu|universal)$/i.test(timeZone) ? 'utc' : 'local-time';
}

/** The machine type tells the architecture: PSERIES is POWER, the others are x86. */
export function archOf(machineType: string | null): string | null {
  if (machineType === null) return null;
  return machineType === 'PSERIES' ? 'ppc64le' : 'x86_64';
}
