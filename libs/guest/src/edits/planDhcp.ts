import type {
  Finding,
  GuestFacts,
  GuestNeeds,
  NetworkFileFacts,
  NetworkStack,
  PlannedNic,
} from '@ascend/domain';
import { isInterfaceName } from '../network/address.ts';
import { dhcpFiles, type DhcpRequest } from './dhcpFiles.ts';
import { asidePath, type GuestEdit } from './guestEdit.ts';
import { nameEdit, nicDrivers } from './interfaceName.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

/** Order in which a guest with several programs is believed: netplan writes for the others, and so on. */
const stackOrder: readonly NetworkStack[] = [
  'netplan',
  'ifcfg-suse',
  'ifcfg-redhat',
  'networkmanager',
  'networkd',
  'ifupdown',
];

/** Names that the kernel gives without rules, in the order of the cards; the arguments below ask for them. */
const kernelNameArguments = ['net.ifnames=0', 'biosdevname=0'];

/** A plan for DHCP, and the kernel arguments it counts on. */
export interface DhcpPlan extends PlannedEdits {
  readonly kernelArguments: readonly string[];
}

function configuresCards(guest: GuestFacts, file: NetworkFileFacts): boolean {
  if (file.stack === 'cloud-init' || file.stack === 'names') return false;
  // Other profiles (bridges of containers, VPN) stay where files stand side by side.
  const separate = file.stack === 'networkd' || file.stack === 'networkmanager';
  return !separate || file.addresses.length > 0 || guest.nics.some((nic) => nic.configPath === file.path);
}

/** The program that configures the cards: the one whose files describe them, else the first with any file. */
function activeStack(guest: GuestFacts, files: readonly NetworkFileFacts[]): NetworkStack | null {
  const described = files.filter((file) => guest.nics.some((nic) => nic.configPath === file.path));
  const candidates = described.length > 0 ? described : files;
  return stackOrder.find((stack) => candidates.some((file) => file.stack === stack)) ?? null;
}

function lacksClient(guest: GuestFacts, stack: NetworkStack): boolean {
  const needsClient = stack === 'ifupdown' || (stack === 'ifcfg-redhat' && guest.linux?.init === 'sysv');
  return needsClient && guest.linux?.dhcpClient === false;
}

function isVersion6(address: string): boolean {
  return address.includes(':') && !address.toLowerCase().startsWith('fe80');
}

interface Naming {
  readonly request: DhcpRequest;
  readonly edits: readonly GuestEdit[];
  readonly kernelArguments: readonly string[];
}

/** One card keeps its old name, found by its driver; of several, nothing tells which is which, so the kernel names them. */
function chooseNames(guest: GuestFacts, needs: GuestNeeds, nics: readonly PlannedNic[]): Naming {
  const ipv6 = guest.nics.some((nic) => nic.addresses.some(isVersion6));
  const own = nics[0]?.guestName ?? (guest.nics.length === 1 ? guest.nics[0]?.name : undefined) ?? '';
  if (nics.length === 1 && isInterfaceName(own) && nicDrivers(needs).length > 0) {
    const reason = `interface ${own} keeps its name whatever MAC the platform gives`;
    const edit = nameEdit(guest, own, { drivers: nicDrivers(needs) }, reason);
    return { request: { names: [own], pattern: own, ipv6 }, edits: [edit], kernelArguments: [] };
  }
  const names = nics.map((_, index) => `eth${index}`);
  return { request: { names, pattern: 'e*', ipv6 }, edits: [], kernelArguments: kernelNameArguments };
}

function findings(
  guest: GuestFacts,
  stack: NetworkStack,
  files: readonly NetworkFileFacts[],
): readonly Finding[] {
  const addresses = guest.nics.flatMap((nic) => nic.addresses);
  const switched = guestFinding({
    code: 'GUEST_ADDRESS_FROM_PLATFORM',
    severity: 'fixed',
    message: `the target gives the addresses; ${addresses.length} static ones are taken out of use`,
    evidence: `${addresses.join(' ') || 'no static address'} in ${files.map(({ path }) => path).join(', ')}`,
    action: 'the guest asks by DHCP; its former configuration is kept in /etc/ascend/aside',
  });
  if (!lacksClient(guest, stack)) return [switched];
  const missing = guestFinding({
    code: 'GUEST_DHCP_CLIENT_MISSING',
    severity: 'warning',
    message: 'the guest has no program that asks for an address by DHCP',
    evidence: `${stack} without dhclient, udhcpc or dhcpcd`,
    action: 'install one in the source VM, or set the address at the console of the new VM',
  });
  return [switched, missing];
}

/** Rules that bind names to old MACs, and the program that would write them anew for the new ones. */
function forgetMacs(guest: GuestFacts): readonly GuestEdit[] {
  const paths = [...new Set((guest.linux?.persistentNames ?? []).map(({ path }) => path))];
  const reason = 'it binds names to MACs that no card has on the target';
  const aside = paths.map((path): GuestEdit => ({ kind: 'set-aside', path, to: asidePath(path), reason }));
  if (guest.linux?.init !== 'sysv') return aside;
  const path = 'etc/udev/rules.d/75-persistent-net-generator.rules';
  return [...aside, { kind: 'make-link', path, target: '/dev/null', reason }];
}

/**
 * Plans that the guest asks the platform for its addresses, whatever MAC its cards get: the former configuration is
 * kept aside, DHCP written for the program that the guest uses. null: the guest's configuration is not known.
 */
export function planDhcp(guest: GuestFacts, needs: GuestNeeds, nics: readonly PlannedNic[]): DhcpPlan | null {
  if (nics.length === 0) return { ...nothingPlanned, kernelArguments: [] };
  const files = (guest.linux?.networkFiles ?? []).filter((file) => configuresCards(guest, file));
  const stack = activeStack(guest, files);
  if (stack === null) return null;
  const naming = chooseNames(guest, needs, nics);
  const written = dhcpFiles(stack, naming.request);
  const reason = 'the target gives the address; the static configuration would make the VM unreachable';
  const edits: GuestEdit[] = [
    ...files.map(({ path }): GuestEdit => ({ kind: 'set-aside', path, to: asidePath(path), reason })),
    ...forgetMacs(guest),
    ...naming.edits,
    ...written.map((file): GuestEdit => ({
      kind: 'write-file',
      path: file.path,
      content: file.content,
      mode: file.mode,
      reason,
    })),
  ];
  return { edits, findings: findings(guest, stack, files), kernelArguments: naming.kernelArguments };
}
