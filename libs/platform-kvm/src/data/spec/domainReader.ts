import type { VmDevice } from '@ascend/domain';
import { makeReader, parseXml, selectVm, type SpecDraft, type SpecNode } from '@ascend/vm-spec';
import { readBoot } from './domainBoot.ts';
import { readDevices, readNics } from './domainDevices.ts';
import { readDisks } from './domainDisks.ts';
import { osOfLibosinfo } from './domainOs.ts';

/** Parts of a domain that steer how the old host runs it (formatdomain of libvirt, general knowledge, 2026-11-21). */
const hostSettings = [
  '@id',
  '@type',
  'blkiotune',
  'bootloader',
  'bootloader_args',
  'cputune',
  'currentMemory',
  'features',
  'genid',
  'idmap',
  'iothreadids',
  'iothreads',
  'keywrap',
  'maxMemory',
  'memoryBacking',
  'memtune',
  'numatune',
  'on_crash',
  'on_lockfailure',
  'on_poweroff',
  'on_reboot',
  'perf',
  'pm',
  'resource',
  'seclabel',
  'sysinfo',
  'throttlegroups',
  'uuid',
  'vcpus',
];

// Words of formatdomain; the default is KiB.
const units: Readonly<Record<string, number>> = {
  b: 1,
  bytes: 1,
  kb: 1e3,
  k: 2 ** 10,
  kib: 2 ** 10,
  mb: 1e6,
  m: 2 ** 20,
  mib: 2 ** 20,
  gb: 1e9,
  g: 2 ** 30,
  gib: 2 ** 30,
  tb: 1e12,
  t: 2 ** 40,
  tib: 2 ** 40,
};

function memoryBytes(memory: SpecNode): number | null {
  memory.ignoring('@dumpCore');
  const unit = memory.child('@unit').text()?.toLowerCase() ?? 'kib';
  const value = memory.number();
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return value === null || factor === undefined ? null : Math.floor(value * factor);
}

function readCpus(domain: SpecNode): Pick<SpecDraft, 'cpuCount' | 'coresPerSocket'> {
  const vcpu = domain.child('vcpu');
  vcpu.ignoring('@placement', '@cpuset');
  const current = vcpu.child('@current').number();
  const most = vcpu.number();
  const cpu = domain.child('cpu');
  cpu.ignoring(
    '@check',
    '@match',
    '@migratable',
    '@mode',
    'cache',
    'feature',
    'maxphysaddr',
    'model',
    'numa',
    'vendor',
  );
  const topology = cpu.child('topology');
  const parts = ['@dies', '@clusters', '@cores', '@threads'].map(
    (name) => topology.child(name).number() ?? 1,
  );
  topology.ignoring('@sockets');
  return {
    // Without the element a domain has one.
    cpuCount: current ?? (vcpu.exists ? (most ?? Number.NaN) : 1),
    coresPerSocket: topology.exists ? parts.reduce((product, part) => product * part, 1) : null,
  };
}

function readOsId(domain: SpecNode): string | null {
  const metadata = domain.child('metadata');
  const id = metadata.child('libosinfo', 'os', '@id').text();
  metadata.ignore();
  return id === null ? null : osOfLibosinfo(id);
}

function readClock(domain: SpecNode): 'utc' | 'local-time' | null {
  const clock = domain.child('clock');
  const [offset, basis] = [clock.child('@offset').text(), clock.child('@basis').text()];
  clock.ignore();
  if (offset === 'utc' || offset === 'absolute') return 'utc';
  if (offset === 'localtime' || offset === 'timezone') return 'local-time';
  return offset === 'variable' ? (basis === 'localtime' ? 'local-time' : 'utc') : null;
}

function readNotes(domain: SpecNode): string | null {
  const notes = [domain.child('title').text(), domain.child('description').text()].filter(
    (text) => text !== null,
  );
  return notes.length === 0 ? null : notes.join('\n\n');
}

function readProtection(domain: SpecNode): readonly VmDevice[] {
  const protection = domain.child('launchSecurity');
  const type = protection.child('@type').text();
  protection.ignore();
  return type === null ? [] : [{ kind: 'other', description: `memory encryption ${type}` }];
}

function draftOf(domain: SpecNode): SpecDraft {
  const { diskPlace, ...boot } = readBoot(domain.child('os'));
  const devices = domain.child('devices');
  const hasTpm = devices.child('tpm').exists;
  const storage = readDisks(devices, diskPlace);
  const others = readDevices(devices);
  domain.ignoring(...hostSettings);
  return {
    name: domain.child('name').text(),
    ...readCpus(domain),
    memoryBytes: memoryBytes(domain.child('memory')),
    ...boot,
    tpm: hasTpm,
    disks: storage.disks,
    nics: readNics(devices),
    osId: readOsId(domain),
    notes: readNotes(domain),
    clock: readClock(domain),
    devices: [...storage.devices, ...others, ...readProtection(domain)],
  };
}

/** Elements around a domain: a snapshot's, a running domain's state, a list that a script made. */
const wrappers = ['domainsnapshot', 'domstatus', 'domains'];

/** Domain XML of libvirt (`virsh dumpxml`, `virt-v2v -o local`), also inside a snapshot. Sizes of disks are not in it. */
export const domainReader = makeReader({
  format: 'libvirt-domain',
  platform: 'kvm',
  recognise: ({ text }) => {
    const name = /<(domain|domainsnapshot|domstatus|domains)[\s>]/.exec(text.slice(0, 65_536))?.[1];
    return name !== undefined && /<(?:devices|vcpu|memory|domain)[\s>/]/.test(text)
      ? `root element ${name}`
      : null;
  },
  parse: parseXml,
  draft: (root, selector) => {
    const outer = wrappers.map((name) => root.child(name)).find((node) => node.exists);
    for (const name of (outer ?? root).names()) if (name !== 'domain') (outer ?? root).child(name).ignore();
    const { vm, findings } = selectVm(
      'libvirt-domain',
      selector,
      (outer ?? root)
        .child('domain')
        .items()
        .map((domain) => ({
          node: domain,
          names: [domain.child('name').text(), domain.child('uuid').text()],
        })),
    );
    return { draft: draftOf(vm), findings };
  },
});
