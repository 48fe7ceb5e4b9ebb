import type { Finding, PlannedNic, WindowsInterfaceFacts } from '@ascend/domain';
import type { RegistryEdit } from '../registry/registryEdit.ts';
import type { RegistryData } from '../registry/registryValue.ts';
import {
  firstBootFolder,
  firstBootScript,
  firstBootService,
  networkScript,
  type StaticAddress,
} from './firstBootScript.ts';
import { planWindowsAgents } from './planAgents.ts';
import { finding, type PlannedWindows, type WindowsPlanParams } from './planParams.ts';
import type { WindowsEdit } from './windowsEdit.ts';

/** The planned card of an interface: by MAC, by the name in the guest, or because there is only one of both. */
function nicOf(own: WindowsInterfaceFacts, statics: number, nics: readonly PlannedNic[]): PlannedNic | null {
  const byMac = nics.find((nic) => nic.mac !== null && nic.mac.toLowerCase() === own.mac);
  const byName = nics.find((nic) => nic.guestName !== null && nic.guestName === own.name);
  return byMac ?? byName ?? (statics === 1 && nics.length === 1 ? (nics[0] ?? null) : null);
}

interface PlannedNetwork {
  readonly network: readonly StaticAddress[];
  readonly findings: readonly Finding[];
}

/** Static addresses that a new network card would not have: Windows keeps them with the old one. */
function planStaticAddresses(params: WindowsPlanParams): PlannedNetwork {
  if (params.networkIdentity !== 'pin-by-mac') return { network: [], findings: [] };
  const statics = params.facts.interfaces.filter((each) => each.addresses.length > 0);
  const network: StaticAddress[] = [];
  const findings: Finding[] = [];
  for (const own of statics) {
    const nic = nicOf(own, statics.length, params.nics);
    const mac = nic?.mac?.toLowerCase() ?? null;
    const { addresses, gateways, dnsServers } = own;
    const usable =
      nic !== null && (mac === null ? params.nics.length === 1 : /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac));
    const evidence = `${own.name ?? own.id}: ${addresses.join(', ')}`;
    if (usable) {
      network.push({ mac, addresses, gateways, dnsServers });
      const message = `the address of ${own.name ?? own.id} would stay with a network card that is gone`;
      const action = 'first boot gives it to the card of the target';
      findings.push(finding('GUEST_NIC_NAME_UNSTABLE', 'fixed', { message, evidence, action }));
    } else {
      const message = `it is not known which network card of the VM has the address of ${own.name ?? own.id}`;
      const action = 'give the MAC addresses, or set the address after the restore';
      findings.push(finding('GUEST_NIC_UNKNOWN', 'warning', { message, evidence, action }));
    }
  }
  return { network, findings };
}

/**
 * The service that runs the script: cmd.exe starts it detached and ends, so the service manager counts the start as
 * failed (event 7000/7009) and leaves the script alone; no program of ours is needed in the guest.
 */
function serviceEdits(params: WindowsPlanParams): readonly RegistryEdit[] {
  const cmd = String.raw`%SystemRoot%\System32\cmd.exe`;
  const script = `%SystemRoot%\\${firstBootFolder}\\firstboot.cmd`;
  const values: Readonly<Record<string, RegistryData>> = {
    Type: { type: 'REG_DWORD', data: 16 },
    Start: { type: 'REG_DWORD', data: 2 },
    ErrorControl: { type: 'REG_DWORD', data: 0 },
    ImagePath: { type: 'REG_EXPAND_SZ', data: `${cmd} /c start "" /b ${cmd} /c ${script}` },
    DisplayName: { type: 'REG_SZ', data: 'Ascend first boot' },
    ObjectName: { type: 'REG_SZ', data: 'LocalSystem' },
  };
  return params.facts.controlSets.flatMap((set) =>
    Object.entries(values).map(([name, value]) => ({
      kind: 'set-registry-value' as const,
      hive: 'SYSTEM' as const,
      key: `${set.name}\\Services\\${firstBootService}`,
      name,
      value,
      reason: 'drivers, addresses and agents are installed when Windows runs',
    })),
  );
}

/** Plans what only a running Windows can do: a script with bounded retries, started as a service, which it removes itself. */
export function planFirstBoot(
  params: WindowsPlanParams,
  staged: { readonly infPaths: readonly string[]; readonly driverFiles: readonly string[] },
): PlannedWindows {
  const { infPaths } = staged;
  const { network, findings } = planStaticAddresses(params);
  const agents = planWindowsAgents(params);
  const all = [...findings, ...agents.findings];
  if (infPaths.length === 0 && network.length === 0 && agents.installs.length === 0)
    return { edits: [], findings: all };
  const folder = `${params.facts.systemRoot}/${firstBootFolder}`;
  const script = firstBootScript({ ...staged, network, agents: agents.installs });
  const file = (name: string, content: string): WindowsEdit => ({
    kind: 'write-file',
    path: `${folder}/${name}`,
    content,
    mode: 0o644,
    reason: 'drivers, addresses and agents are installed when Windows runs',
  });
  return {
    edits: [
      ...agents.edits,
      file('firstboot.cmd', script),
      ...(network.length === 0 ? [] : [file('network.ps1', networkScript(network))]),
      ...serviceEdits(params),
    ],
    findings: all,
  };
}
