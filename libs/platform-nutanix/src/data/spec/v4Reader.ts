import type { Firmware } from '@ascend/domain';
import { makeReader, parseJson, selectVm, type NamedVm, type SpecNode } from '@ascend/vm-spec';
import { archOf, clockOf, cpusOf } from './machine.ts';
import { readDevices, readDisks, readNics } from './v4Devices.ts';

const format = 'prism-v4-vm';

/** Of no meaning for a new VM: identity, state, policies and placement of the cluster it lived in. */
const meaningless = `
  apcConfig availabilityZone biosUuid cluster createTime enabledCpuFeatures extId generationUuid
  guestCustomization guestTools host isAgentVm isBrandingEnabled isCpuHotplugEnabled isCpuPassthroughEnabled
  isCrossClusterMigrationInProgress isGpuConsoleEnabled isLiveMigrateCapable isMemoryOvercommitEnabled
  isScsiControllerEnabled isVcpuHardPinningEnabled isVgaConsoleEnabled nextScheduledReboot numNumaNodes
  ownershipInfo powerState project projectExtId protectionPolicyState protectionType source sourceVmProfile
  storageConfig updateTime vmGuestCustomizationStatus
`
  .trim()
  .split(/\s+/);

function isNoise(name: string): boolean {
  return name.startsWith('$') || name === 'links' || name === 'tenantId';
}

/** Every object tells its type, its tenant and links to itself. */
function ignoreNoise(node: SpecNode): void {
  const names = node.names();
  for (const name of names) {
    if (isNoise(name)) node.ignoring(name);
    else ignoreNoise(node.child(name));
  }
  if (names.length > 0) return;
  for (const item of node.items()) if (item !== node) ignoreNoise(item);
}

function vmsOf(root: SpecNode): readonly SpecNode[] {
  if (!root.child('data').exists) return root.items();
  root.ignoring('metadata');
  return root.child('data').items();
}

function bootOf(boot: SpecNode): { readonly firmware: Firmware | null; readonly secureBoot: boolean } {
  const type = boot.child('$objectType').text() ?? '';
  const secureBoot = boot.child('isSecureBootEnabled').boolean();
  boot.ignoring('bootOrder', 'bootDevice', 'nvramDevice');
  const isUefi = type.endsWith('UefiBoot') || secureBoot !== null || boot.child('nvramDevice').exists;
  if (isUefi) return { firmware: 'uefi', secureBoot: secureBoot ?? false };
  return { firmware: type.endsWith('LegacyBoot') ? 'bios' : null, secureBoot: false };
}

/** Categories are told by id alone; attributes are `key:value`. */
function tagsOf(vm: SpecNode): Record<string, string> {
  const categories = vm
    .child('categories')
    .items()
    .map((category): [string, string] => [`category:${category.child('extId').text() ?? ''}`, '']);
  const attributes = vm
    .child('customAttributes')
    .items()
    .map((attribute): [string, string] => {
      const [key = '', ...value] = (attribute.text() ?? '').split(':');
      return [key, value.join(':')];
    });
  return Object.fromEntries([...categories, ...attributes]);
}

/**
 * Reads a VM of the v4 API: a `Vm` object, or an answer with one or several as `data`. Field names: vmm v4.3
 * (nutanix/ntnx-api-golang-clients 55328194), read 2026-11-20.
 */
export const v4Reader = makeReader({
  format,
  platform: 'nutanix',
  recognise: ({ text }) => {
    if (/"vmm\.v4\.(?:r\d+\.(?:[ab]\d+\.)?)?ahv\.config\.Vm"/.test(text))
      return 'object type vmm.v4.ahv.config.Vm';
    const isVm = /"numSockets"\s*:/.test(text) && /"memorySizeBytes"\s*:/.test(text);
    return isVm ? 'fields numSockets and memorySizeBytes of the v4 API' : null;
  },
  parse: parseJson,
  draft: (root, selector) => {
    const vms = vmsOf(root).filter(
      (vm) => vm.child('numSockets').exists || vm.child('memorySizeBytes').exists,
    );
    const { vm, findings } = selectVm(
      format,
      selector,
      vms.map((node): NamedVm => ({ node, names: [node.child('name').text(), node.child('extId').text()] })),
    );
    const { nics, devices: hostCards } = readNics(vm);
    const { disks, devices: groups } = readDisks(vm);
    const tpm = vm.child('vtpmConfig');
    tpm.ignoring('version', 'vtpmDevice');
    const draft = {
      name: vm.child('name').text(),
      ...cpusOf(vm.child('numSockets'), vm.child('numCoresPerSocket'), vm.child('numThreadsPerCore')),
      memoryBytes: vm.child('memorySizeBytes').number(),
      ...bootOf(vm.child('bootConfig')),
      tpm: tpm.child('isVtpmEnabled').boolean(),
      disks,
      nics,
      notes: vm.child('description').text(),
      tags: tagsOf(vm),
      cpuArch: archOf(vm.child('machineType').text()),
      clock: clockOf(vm.child('hardwareClockTimezone').text()),
      devices: [...readDevices(vm), ...hostCards, ...groups],
    };
    vm.ignoring(...meaningless);
    ignoreNoise(root);
    return { draft, findings };
  },
});
