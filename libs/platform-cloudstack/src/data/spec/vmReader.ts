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
import { readDetails, type VmDetails } from './vmDetails.ts';
import { readNics } from './vmNics.ts';
import { readVolumes } from './vmVolumes.ts';

const format = 'cloudstack-vm';

/** Of no meaning for a new VM: state, accounting, offering and placement of the zone it lived in. */
const meaningless = `
  account affinitygroup alloweddetails autoscalevmgroupid autoscalevmgroupname cpuspeed backupofferingid
  backupofferingname cpuused created deleteprotection diskioread domain diskiowrite diskkbsread diskkbswrite
  diskofferingid diskofferingname displayvm domainid domainpath forvirtualnetwork groupid guestosid haenable
  hasannotations hostcontrolstate hostid hostname hypervisor icon ipaddress isdynamicallyscalable
  isodisplaytext jobid jobstatus keypairs lastupdated leaseduration leaseexpiryaction leaseexpirydate
  memoryintfreekbs memorykbs memorytargetkbs networkkbsread networkkbswrite ostypeid password passwordenabled
  pooltype project projectid publicip publicipid state readonlydetails receivedbytes rootdeviceid
  rootdevicetype securitygroup sentbytes serviceofferingid serviceofferingname servicestate
  templatedisplaytext templateformat templateid templatename templatetype userdata userdatadetails userdataid
  userdataname userdatapolicy userid username vmtype vnfdetails vnfnics zoneid zonename name maxheads
  maxresolutionx maxresolutiony videoram gpucardid vgpuprofileid isoid
`
  .trim()
  .split(/\s+/);

/** An answer has its list below the name of the command; command-line tools show the list alone. */
function listOf(root: SpecNode, answer: string, list: string): readonly SpecNode[] {
  const body = root.child(answer);
  for (const node of [root, body]) node.ignoring('count');
  return body.exists ? body.child(list).items() : root.child(list).items();
}

function vmsOf(root: SpecNode): readonly SpecNode[] {
  const listed = listOf(root, 'listvirtualmachinesresponse', 'virtualmachine');
  return listed.length > 0 ? listed : root.items().filter((vm) => vm.child('cpunumber').exists);
}

/** As the answer says, else as the settings say; without either the platform boots by BIOS. */
function firmwareOf(vm: SpecNode, details: VmDetails): { firmware: Firmware; secureBoot: boolean } {
  const type = vm.child('boottype').text()?.toLowerCase() ?? (details.uefi === null ? 'bios' : 'uefi');
  const mode = vm.child('bootmode').text()?.toLowerCase() ?? details.uefi?.toLowerCase();
  const isUefi = type === 'uefi';
  return { firmware: isUefi ? 'uefi' : 'bios', secureBoot: isUefi && mode === 'secure' };
}

function tagsOf(vm: SpecNode): Record<string, string> {
  const pairs = vm
    .child('tags')
    .items()
    .map((tag): [string, string] => {
      tag.ignoring('account', 'customer', 'domain', 'domainid', 'domainpath', 'project', 'projectid');
      tag.ignoring('resourceid', 'resourcetype');
      return [tag.child('key').text() ?? '', tag.child('value').text() ?? ''];
    });
  const group = vm.child('group').text();
  return Object.fromEntries([...(group === null ? [] : [['group', group] as const]), ...pairs]);
}

function devicesOf(vm: SpecNode): readonly VmDevice[] {
  const card = ['gpucardname', 'vgpuprofilename', 'vgpu'].flatMap((name) => vm.child(name).text() ?? []);
  const count = Math.min(Math.max(Math.trunc(vm.child('gpucount').number() ?? 1), 1), 16);
  const iso = vm.child('isoname').text();
  const gpus = card.length === 0 ? [] : Array.from({ length: count }, () => card.join(' '));
  return [
    ...gpus.map((description): VmDevice => ({ kind: 'gpu', description })),
    ...(iso === null ? [] : [{ kind: 'cdrom', description: iso } as const]),
  ];
}

function diskFindings(count: number): readonly Finding[] {
  if (count > 0) return [];
  const finding = specFinding('SPEC_VALUE_MISSING', 'warning', {
    subject: 'backup',
    message: `${format}: listVirtualMachines tells no disks; those of the backup count`,
    evidence: 'put the answer of listVolumes beside it, as "listvolumesresponse" or "volume"',
  });
  return [finding];
}

/**
 * Reads a VM of listVirtualMachines: the whole answer, the list as command-line tools show it, or one VM; with the answer of listVolumes
 * beside it in the same object where somebody put it there. Field names: API of 4.22.1 (apache/cloudstack-go e463cd1c), read 2026-11-20.
 */
export const vmReader = makeReader({
  format,
  platform: 'cloudstack',
  recognise: ({ text }) => {
    if (/"listvirtualmachinesresponse"\s*:/.test(text)) return 'answer listvirtualmachinesresponse';
    const isVm =
      /"cpunumber"\s*:/.test(text) && /"(?:serviceofferingid|virtualmachine|zoneid)"\s*:/.test(text);
    return isVm ? 'fields cpunumber and serviceofferingid of listVirtualMachines' : null;
  },
  parse: parseJson,
  draft: (root, selector) => {
    const { vm, findings } = selectVm(
      format,
      selector,
      vmsOf(root).map((node): NamedVm => {
        const names = ['displayname', 'name', 'id', 'instancename'].map((name) => node.child(name).text());
        return { node, names };
      }),
    );
    const details = readDetails(vm.child('details'));
    const volumes = listOf(root, 'listvolumesresponse', 'volume');
    const disks = readVolumes(volumes, vm.child('id').text(), {
      root: details.rootController,
      data: details.dataController,
    });
    const memoryMib = vm.child('memory').number();
    const os = vm.child('osdisplayname').text();
    const draft = {
      name: vm.child('displayname').text() ?? vm.child('name').text(),
      cpuCount: vm.child('cpunumber').number(),
      coresPerSocket: details.coresPerSocket,
      memoryBytes: memoryMib === null ? null : memoryMib * 1024 ** 2,
      ...firmwareOf(vm, details),
      tpm: details.tpm,
      disks,
      nics: readNics(vm, details.nicAdapter),
      osId: osIdOfName(os) ?? os,
      tags: tagsOf(vm),
      cpuArch: vm.child('arch').text(),
      devices: devicesOf(vm),
    };
    vm.ignoring(...meaningless);
    return { draft, findings: [...findings, ...diskFindings(disks.length)] };
  },
});
