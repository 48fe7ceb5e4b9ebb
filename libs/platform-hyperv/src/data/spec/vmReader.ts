import { makeReader, parseJson, selectVm, type SpecDraft, type SpecNode } from '@ascend/vm-spec';
import { parseClixml } from './clixml.ts';
import { readDevices, readNics } from './vmDevices.ts';
import { readDrives } from './vmDisks.ts';
import { listOf, partsOf, type VmParts } from './vmParts.ts';

/** Properties of Get-VM that are states of the old host, or that a new VM gets anew. */
const hostProperties =
  /^(?:Automatic|Battery|Checkpoint|Cim|Computer|Configuration|CPUUsage|Creation|Critical|DynamicMemory|Enhanced|GuestControlled|GuestState|Heartbeat|HighMemory|Integration|Is[A-Z]|Key$|LockOn|LowMemory|Memory(?:Assigned|Demand|Maximum|Minimum|Status)|Numa|Operational|Parent|Path$|Primary|Replication|ResourceMetering|Secondary|SizeOf|SmartPaging|Snapshot|State$|Status|Uptime$|Version$|VirtualMachine|VirtualizationBased|VMIntegration|VMHost|VMKeyProtector|VMBios|VMNuma|VMConnect|VMScsiController|VMIdeController|PS[A-Z]|RunspaceId)/;

/** Microsoft.HyperV.PowerShell.OnOffState: On is 0, Off is 1. */
function isOn(node: SpecNode): boolean | null {
  const text = node.text()?.toLowerCase();
  if (text === '0' || text === 'on' || text === 'true') return true;
  return text === undefined ? null : false;
}

function ignoreRest(node: SpecNode, parts: VmParts): void {
  for (const name of [...node.names(), ...parts.vm.names()]) {
    if (!hostProperties.test(name)) continue;
    node.child(name).ignore();
    parts.vm.child(name).ignore();
  }
}

function draftOf(node: SpecNode): SpecDraft {
  const parts = partsOf(node);
  const { vm } = parts;
  const [processor, memory] = [parts.part('VMProcessor'), parts.part('VMMemory')];
  const [firmware, security] = [parts.part('VMFirmware'), parts.part('VMSecurity')];
  const generation = vm.child('Generation').number();
  const drives = readDrives(parts, firmware);
  const secureBoot = isOn(firmware.child('SecureBoot'));
  const draft: SpecDraft = {
    name: vm.child('Name').text() ?? vm.child('VMName').text(),
    cpuCount: vm.child('ProcessorCount').number() ?? processor.child('Count').number(),
    memoryBytes: vm.child('MemoryStartup').number() ?? memory.child('Startup').number(),
    firmware: generation === 2 ? 'uefi' : generation === 1 ? 'bios' : null,
    secureBoot: generation === 2 && secureBoot === true,
    tpm: security.child('TpmEnabled').boolean(),
    disks: drives.disks,
    nics: readNics(parts),
    notes: vm.child('Notes').text(),
    devices: [...drives.devices, ...readDevices(parts)],
  };
  for (const part of [processor, memory, firmware, security]) part.ignore();
  vm.ignoring('Groups', 'Id', 'VMId', 'Name', 'VMName');
  ignoreRest(node, parts);
  return draft;
}

function namesOf(node: SpecNode): readonly (string | null)[] {
  const { vm } = partsOf(node);
  return ['Name', 'VMName', 'Id', 'VMId'].map((name) => vm.child(name).text());
}

const properties = /"(?:VMName|VMHardDiskDrive|HardDrives|ProcessorCount|MemoryStartup)"\s{0,8}:/g;

/**
 * What `Get-VM` gives through `ConvertTo-Json` or `Export-Clixml`, alone or with the answers of Get-VMHardDiskDrive, Get-VMNetworkAdapter,
 * Get-VMFirmware, Get-VMProcessor, Get-VMMemory, Get-VMSecurity and Get-VHD under their nouns.
 */
export const vmReader = makeReader({
  format: 'hyperv-vm',
  platform: 'hyperv',
  recognise: ({ text }) => {
    if (/^\uFEFF?\s*</.test(text)) {
      const isClixml = text.slice(0, 4096).includes('schemas.microsoft.com/powershell/2004/04');
      return isClixml && /Microsoft\.HyperV|N="(?:HardDrives|VMName|ProcessorCount)"/.test(text)
        ? 'objects of PowerShell with properties of a VM'
        : null;
    }
    const found = new Set([...text.matchAll(properties)].map(([match]) => match.replace(/\s*:$/, '')));
    return found.size < 2 ? null : `the properties ${[...found].join(', ')}`;
  },
  parse: (document) => (/^\uFEFF?\s*</.test(document.text) ? parseClixml(document) : parseJson(document)),
  draft: (root, selector) => {
    const { vm, findings } = selectVm(
      'hyperv-vm',
      selector,
      listOf(root).map((node) => ({ node, names: namesOf(node) })),
    );
    return { draft: draftOf(vm), findings };
  },
});
