import type { VolumeFacts } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../testing/memoryFiles.ts';
import { agentIds, readAgents } from './agents.ts';
import { parseBlockedModules } from './blockedModules.ts';
import { readCloudInit } from './cloudInit.ts';
import { readLinuxFacts, readSelinux } from './linuxFacts.ts';

const unit = '[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\n';

const volume = (diskIndex: number, uuid: string): VolumeFacts => ({
  diskIndex,
  partition: 1,
  offsetBytes: 0,
  sizeBytes: 1,
  content: 'swap',
  uuid,
  label: null,
});

describe('readAgents', () => {
  it.each([
    ['open-vm-tools', 'open-vm-tools'],
    ['vmtoolsd', 'open-vm-tools'],
    ['vmware-tools', 'vendor-vm-tools'],
    ['qemu-guest-agent', 'qemu-guest-agent'],
    ['walinuxagent', 'waagent'],
    ['hv-kvp-daemon', 'hv-daemons'],
    ['hyperv-daemons.hv-vss-daemon', 'hv-daemons'],
    ['hypervkvpd', 'hv-daemons'],
    ['hv_fcopy_daemon', 'hv-daemons'],
    ['xe-daemon', 'xe-guest-utilities'],
    ['ngt_guest_agent', 'ngt'],
    ['cloud-set-guest-password', 'cloud-set-guest'],
  ])('knows service %s as %s, as a unit and as an init script', async (name, id) => {
    const asUnit = await readAgents(memoryFiles({ [`usr/lib/systemd/system/${name}.service`]: unit }));
    expect(asUnit).toEqual([
      {
        id,
        services: [
          {
            name: `${name}.service`,
            path: `usr/lib/systemd/system/${name}.service`,
            kind: 'systemd',
            state: 'disabled',
            wantedBy: ['multi-user.target'],
          },
        ],
      },
    ]);
    const script = {
      [`etc/init.d/${name}`]: '#!/bin/sh\n',
      [`etc/rc3.d/S99${name}`]: `-> /etc/init.d/${name}`,
    };
    expect(await readAgents(memoryFiles(script))).toMatchObject([
      { id, services: [{ kind: 'sysv', state: 'enabled' }] },
    ]);
    expect(agentIds).toContain(id);
  });

  it('tells enabled, masked and static services apart', async () => {
    const wanted = 'etc/systemd/system/multi-user.target.wants/waagent.service';
    const files = memoryFiles({
      'usr/lib/systemd/system/waagent.service': unit,
      [wanted]: '-> /usr/lib/systemd/system/waagent.service',
      'usr/lib/systemd/system/vmtoolsd.service': unit,
      'etc/systemd/system/vmtoolsd.service': '-> /dev/null',
      'usr/lib/systemd/system/qemu-guest-agent.service': '[Service]\nExecStart=/x\n',
    });
    const states = (await readAgents(files)).map(({ services }) => services[0]?.state);
    expect(states).toEqual(['masked', 'static', 'enabled']);
  });

  it('finds nothing in an empty guest, and a program without a service', async () => {
    expect(await readAgents(memoryFiles({}))).toEqual([]);
    expect(await readAgents(memoryFiles({ 'usr/bin/qemu-ga': '' }))).toEqual([
      { id: 'qemu-guest-agent', services: [] },
    ]);
  });
});

describe('other readers', () => {
  it('reads cloud-init, the last file winning', async () => {
    const files = memoryFiles({
      'usr/bin/cloud-init': '',
      'etc/cloud/cloud.cfg': 'datasource_list: [ NoCloud, None ]\n',
      'etc/cloud/cloud.cfg.d/10-x.cfg': 'network: {config: disabled}\n',
      'etc/cloud/cloud.cfg.d/90_dpkg.cfg': 'datasource_list: [ VMware, None ]\n',
    });
    expect(await readCloudInit(files)).toEqual({
      disabled: false,
      datasources: ['VMware', 'None'],
      networkDisabled: true,
    });
    expect(await readCloudInit(memoryFiles({}))).toBeNull();
  });

  it.each([
    ['SELINUX=enforcing\nSELINUXTYPE=targeted\n', 'enforcing'],
    ['SELINUX=Permissive\n', 'permissive'],
    ['SELINUX=disabled\n', 'disabled'],
    ['SELINUX=enforcing\nSELINUXTYPE=../../x\n', 'absent'],
  ])('reads SELinux from %j as %s', async (text, mode) => {
    const tree = { 'etc/selinux/config': text, 'etc/selinux/targeted/policy/policy.33': '' };
    expect(await readSelinux(memoryFiles(tree))).toBe(mode);
  });

  it('finds modules that are kept from loading', () => {
    const text = '# blacklist a\nblacklist hv-netvsc\n install udf /bin/true\ninstall x /sbin/modprobe y\n';
    expect(parseBlockedModules(text)).toEqual([
      { module: 'hv_netvsc', line: 'blacklist hv-netvsc' },
      { module: 'udf', line: 'install udf /bin/true' },
    ]);
  });

  it('tells swap of the system disk from other swap, and finds stale caches', async () => {
    const fstab =
      'UUID=aa none swap sw\nUUID=bb none swap sw\n/swap.img none swap sw\n/dev/sda5 none swap sw\n';
    const files = memoryFiles({
      'etc/fstab': fstab,
      'etc/lvm/devices/system.devices': 'x',
      'etc/rc.local': '#!/bin/sh\n',
    });
    const facts = await readLinuxFacts(files, {
      volumes: [volume(0, 'aa'), volume(1, 'bb')],
      root: volume(0, 'root'),
      deviceNames: [{ path: 'etc/fstab', device: '/dev/sda5', uuid: 'aa' }],
    });
    expect(facts).toMatchObject({
      init: 'sysv',
      selinux: 'absent',
      systemDiskSwaps: ['UUID=aa', '/swap.img', '/dev/sda5'],
      deviceCaches: ['etc/lvm/devices/system.devices'],
      rcLocal: 'etc/rc.local',
    });
  });
});
