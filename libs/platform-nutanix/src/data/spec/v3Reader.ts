import type { Firmware } from '@ascend/domain';
import { makeReader, osIdOfName, parseJson, selectVm, type NamedVm, type SpecNode } from '@ascend/vm-spec';
import { archOf, clockOf, cpusOf } from './machine.ts';
import { readDevices, readDisks, readNics } from './v3Devices.ts';

const format = 'prism-v3-vm';

/** Of no meaning for a new VM: identity, state, policies and placement of the cluster it lived in. */
const meaningless = `
  is_agent_vm protection_policy_state generation_uuid bios_uuid vga_console_enabled power_state
  recovery_plan_state_list effective_storage_config storage_config apc_config protection_type
  guest_customization power_state_mechanism is_vcpu_hard_pinned vnuma_config memory_overcommit_enabled
  host_reference guest_tools gpu_console_enabled parent_reference enable_cpu_passthrough hypervisor_type
  disable_branding hardware_virtualization_enabled
`
  .trim()
  .split(/\s+/);

/** What the VM is (`status`) where the document has it, else what was asked for (`spec`). */
function bodyOf(entity: SpecNode): SpecNode {
  const [status, spec] = [entity.child('status'), entity.child('spec')];
  const isStatus = status.child('resources', 'num_sockets').exists;
  (isStatus ? spec : status).ignore();
  return isStatus ? status : spec;
}

function entitiesOf(root: SpecNode): readonly SpecNode[] {
  if (!root.child('entities').exists) return root.items();
  root.ignoring('api_version', 'metadata');
  return root.child('entities').items();
}

/** LEGACY is the default of the API where a boot configuration names no type. */
function firmwareOf(boot: SpecNode): Firmware | null {
  if (!boot.exists) return null;
  return /^(?:UEFI|SECURE_BOOT)$/.test(boot.child('boot_type').text() ?? '') ? 'uefi' : 'bios';
}

function tagsOf(metadata: SpecNode): Record<string, string> {
  const categories = metadata.child('categories');
  return Object.fromEntries(categories.names().map((name) => [name, categories.child(name).text() ?? '']));
}

/**
 * Reads a VM of Prism's v3 API: one entity with `spec` and `status`, or a list of them. Field names: v3 swagger of pc.2022.11
 * (nutanix-cloud-native/prism-go-client 1e253ea7), read 2026-11-20.
 */
export const v3Reader = makeReader({
  format,
  platform: 'nutanix',
  recognise: ({ text }) => {
    const isVm =
      /"num_sockets"\s*:/.test(text) && /"(?:memory_size_mib|num_vcpus_per_socket)"\s*:/.test(text);
    return isVm ? 'fields num_sockets and memory_size_mib of Prism v3' : null;
  },
  parse: parseJson,
  draft: (root, selector) => {
    const entities = entitiesOf(root).filter(
      (entity) => entity.child('spec').exists || entity.child('status').exists,
    );
    const { vm, findings } = selectVm(
      format,
      selector,
      entities.map((node): NamedVm => {
        const names = [
          node.child('status', 'name').text() ?? node.child('spec', 'name').text(),
          node.child('metadata', 'uuid').text(),
        ];
        return { node, names };
      }),
    );
    const body = bodyOf(vm);
    const resources = body.child('resources');
    const boot = resources.child('boot_config');
    const bootType = boot.child('boot_type').text();
    const tpm = resources.child('vtpm_config');
    const { disks, devices } = readDisks(resources);
    const guest = resources.child('guest_os_id').text();
    const memoryMib = resources.child('memory_size_mib').number();
    const draft = {
      name: body.child('name').text(),
      ...cpusOf(
        resources.child('num_sockets'),
        resources.child('num_vcpus_per_socket'),
        resources.child('num_threads_per_core'),
      ),
      memoryBytes: memoryMib === null ? null : memoryMib * 1024 ** 2,
      firmware: firmwareOf(boot),
      secureBoot: bootType === 'SECURE_BOOT',
      tpm: tpm.child('vtpm_enabled').boolean(),
      disks,
      nics: readNics(resources),
      osId: osIdOfName(guest) ?? guest,
      notes: body.child('description').text(),
      tags: tagsOf(vm.child('metadata')),
      cpuArch: archOf(resources.child('machine_type').text()),
      clock: clockOf(resources.child('hardware_clock_timezone').text()),
      devices: [...readDevices(resources), ...devices],
    };
    // The order of device types and the boot from network are settings of the firmware; the boot disk is told by the disks.
    boot.ignoring('boot_device_order_list', 'boot_device', 'data_source_reference');
    tpm.ignoring('data_source_reference', 'vtpm_secret', 'version');
    resources.ignoring(...meaningless);
    body.ignoring('availability_zone_reference', 'cluster_reference', 'state', 'message_list');
    vm.ignoring('api_version', 'metadata');
    return { draft, findings };
  },
});
