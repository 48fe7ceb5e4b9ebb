import type { Finding, Firmware, VmDevice } from '@ascend/domain';
import {
  makeReader,
  osIdOfName,
  parseJson,
  selectVm,
  specFinding,
  type NamedVm,
  type SpecNode,
} from '@ascend/vm-spec';
import { closeDocument, lastPart, member, openDocument, type ArmDocument } from './armDocument.ts';
import { readDisks } from './vmDisks.ts';
import { readNics } from './vmNics.ts';
import { acceleratorsOf, archOf, isNvmeOnly, sizeOf } from './vmSizes.ts';

const format = 'azure-vm';

/** Of no meaning for a new VM: state, accounting, access and placement of the subscription it lived in. */
const meaningless = `
  applicationProfile availabilitySet billingProfile capacityReservation diagnosticsProfile evictionPolicy
  extensionsTimeBudget host hostGroup interconnectBlockProfile licenseType osProfile platformFaultDomain
  priority provisioningState proximityPlacementGroup vmId resiliencyProfile scheduledEventsPolicy
  scheduledEventsProfile timeCreated userData virtualMachineScaleSet instanceView additionalCapabilities
  securityProfile
`
  .trim()
  .split(/\s+/);
const meaninglessBeside = `
  id type apiVersion location plan resources identity zones extendedLocation managedBy etag placement
  systemData resourceGroup dependsOn comments condition powerState publicIps fqdns hostName copy
`
  .trim()
  .split(/\s+/);

function tagsOf(vm: SpecNode, text: ArmDocument['text']): Record<string, string> {
  const tags = vm.child('tags');
  return Object.fromEntries(tags.names().map((name) => [name, text(tags.child(name)) ?? '']));
}

/** The words of an image: publisher, offer, SKU. */
function imageOf(vm: SpecNode): string {
  const image = member(vm, 'storageProfile', 'imageReference');
  return ['publisher', 'offer', 'sku'].map((name) => image.child(name).text() ?? '').join(' ');
}

/** Generation 1 is BIOS, generation 2 UEFI: as the instance shows, as the disk shows, as the image is called, as the size demands. */
function firmwareOf(vm: SpecNode, { disks, text }: ArmDocument): Firmware | null {
  const system = member(vm, 'storageProfile', 'osDisk');
  const disk =
    disks.get(lastPart(system.child('managedDisk', 'id').text()) ?? '') ??
    disks.get(text(system.child('name'))?.toLowerCase() ?? '');
  const generation =
    member(vm, 'instanceView', 'hyperVGeneration').text() ??
    (disk === undefined ? null : member(disk, 'hyperVGeneration').text());
  if (generation !== null) return generation.toUpperCase() === 'V1' ? 'bios' : 'uefi';
  if (/(?:^|[ _-])g(?:en)?-?2(?:$|[ _-])/i.test(imageOf(vm))) return 'uefi';
  if (/(?:^|[ _-])gen1(?:$|[ _-])/i.test(imageOf(vm))) return 'bios';
  const isTrusted = /^(?:trustedlaunch|confidentialvm)$/i.test(
    member(vm, 'securityProfile', 'securityType').text() ?? '',
  );
  return isTrusted || isNvmeOnly(text(member(vm, 'hardwareProfile', 'vmSize'))) ? 'uefi' : null;
}

function osOf(vm: SpecNode): string | null {
  const view = member(vm, 'instanceView');
  const seen = `${view.child('osName').text() ?? ''} ${view.child('osVersion').text() ?? ''}`;
  const type = member(vm, 'storageProfile', 'osDisk', 'osType').text()?.toLowerCase() ?? null;
  return osIdOfName(seen) ?? osIdOfName(imageOf(vm)) ?? type;
}

function featuresOf(vm: SpecNode): readonly VmDevice[] {
  const type = member(vm, 'securityProfile', 'securityType').text();
  const features: readonly [boolean, string][] = [
    [type?.toLowerCase() === 'confidentialvm', 'confidential VM (encrypted memory)'],
    [member(vm, 'additionalCapabilities', 'hibernationEnabled').boolean() === true, 'hibernation'],
  ];
  return features.flatMap(([isOn, description]) => (isOn ? [{ kind: 'other', description }] : []));
}

function sizeFindings(vmSize: string | null, isKnown: boolean): readonly Finding[] {
  if (isKnown) return [];
  const finding = specFinding('SPEC_VALUE_MISSING', 'warning', {
    subject: 'backup',
    message: `${format}: CPUs and memory of size ${vmSize ?? 'unknown'} are not known`,
    evidence: vmSize ?? '',
  });
  return [finding];
}

function machineOf(vm: SpecNode, { text }: ArmDocument) {
  const profile = member(vm, 'hardwareProfile');
  const vmSize = text(profile.child('vmSize'));
  const size = sizeOf(vmSize);
  const told = profile.child('vmSizeProperties', 'vCPUsAvailable').number();
  // Threads per core are the host's matter: all CPUs of a VM are on one socket.
  profile.child('vmSizeProperties').ignoring('vCPUsPerCore');
  return { vmSize, cpuCount: told ?? size.cpuCount, memoryBytes: size.memoryBytes, isKnown: size.isKnown };
}

/**
 * Reads a VM of Azure Resource Manager: an answer of the API, `az vm show` and `az vm list` with or without `--show-details`, or a
 * template; with network interfaces and disks beside it where the document has them. Field names: Microsoft.Compute 2026-03-01
 * (Azure/bicep-types-az), Microsoft.Network 2025-05-01, read 2026-11-20.
 */
export const vmReader = makeReader({
  format,
  platform: 'azure',
  recognise: ({ text }) => {
    if (/"Microsoft\.Compute\/virtualMachines"/i.test(text))
      return 'resource type Microsoft.Compute/virtualMachines';
    const isVm = /"hardwareProfile"\s*:/.test(text) && /"storageProfile"\s*:/.test(text);
    return isVm ? 'fields hardwareProfile and storageProfile of Azure Resource Manager' : null;
  },
  parse: parseJson,
  draft: (root, selector) => {
    const document = openDocument(root);
    const vms = document.vms.map((node): NamedVm => {
      const names = [document.text(node.child('name')), node.child('id').text(), member(node, 'vmId').text()];
      return { node, names };
    });
    const { vm, findings } = selectVm(format, selector, vms);
    const machine = machineOf(vm, document);
    const firmware = firmwareOf(vm, document);
    const { disks, devices } = readDisks(vm, document, firmware === 'uefi');
    const nics = readNics(vm, document);
    const uefi = member(vm, 'securityProfile', 'uefiSettings');
    const draft = {
      name: document.text(vm.child('name')),
      cpuCount: machine.cpuCount,
      memoryBytes: machine.memoryBytes,
      firmware,
      secureBoot: uefi.child('secureBootEnabled').boolean(),
      tpm: uefi.child('vTpmEnabled').boolean(),
      disks,
      nics,
      osId: osOf(vm),
      tags: tagsOf(vm, document.text),
      cpuArch: archOf(machine.vmSize),
      devices: [...acceleratorsOf(machine.vmSize), ...featuresOf(vm), ...devices],
    };
    vm.ignoring(...meaninglessBeside);
    vm.child('properties').ignoring(...meaningless);
    vm.ignoring(...meaningless);
    closeDocument(root, document);
    return { draft, findings: [...findings, ...sizeFindings(machine.vmSize, machine.isKnown)] };
  },
});
