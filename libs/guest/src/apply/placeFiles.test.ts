import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestNeeds, PlannedNic } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { applyTextEdit } from '../edits/applyTextEdit.ts';
import { editPlace, isTextEdit, type GuestEdit } from '../edits/guestEdit.ts';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { openRootFiles } from '../probe/rootFiles.ts';
import { leftovers } from '../testing/leftovers.ts';
import { buildTinyGuest, type TinyGuest } from '../testing/tinyGuest.ts';
import { tinyNeeds, tinyNic } from '../testing/tinyPlan.ts';
import { verifyEdits } from '../verify/verifyEdits.ts';
import { applyEdits } from './applyEdits.ts';

const cloudNeeds: GuestNeeds = {
  ...tinyNeeds,
  networkIdentity: 'platform-dhcp',
  kernelArguments: ['panic=30'],
  unwantedKernelArguments: ['quiet'],
  linuxUnblockedModules: ['udf'],
  agents: { enable: ['waagent'], disable: ['open-vm-tools'] },
  cloudInitDatasources: ['NoCloud', 'None'],
};

const cloudNic: PlannedNic = { ...tinyNic, mac: null, rule: 'platform-dhcp' };
const unit = '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n';
const unitFolder = 'usr/lib/systemd/system';

const guestOfAnother = {
  files: {
    [`${unitFolder}/open-vm-tools.service`]: unit,
    [`${unitFolder}/waagent.service`]: unit,
    'usr/lib/systemd/systemd': '',
    'usr/bin/cloud-init': '',
    'etc/cloud/cloud.cfg': 'datasource_list: [ VMware, None ]\n',
    'etc/selinux/config': 'SELINUX=enforcing\nSELINUXTYPE=targeted\n',
    'etc/selinux/targeted/policy/policy.33': '',
    'etc/modprobe.d/hardening.conf': 'install udf /bin/true\n',
    'etc/lvm/devices/system.devices': 'IDTYPE=sys_serial\n',
    'etc/hosts': '127.0.0.1 localhost\n10.0.2.77 pgtest1\n',
  },
  links: {
    'etc/systemd/system/multi-user.target.wants/open-vm-tools.service':
      '/usr/lib/systemd/system/open-vm-tools.service',
    'etc/systemd/system/waagent.service': '/dev/null',
  },
};

async function planCloud(tiny: TinyGuest) {
  const guest = await probeGuest({ ...tiny.context, images: [{ diskIndex: 0, image: tiny.image }] });
  const planned = planEdits({
    guest,
    needs: cloudNeeds,
    nics: [cloudNic],
    addressRules: [{ from: '10.0.2.0/24', to: '10.7.2.0/24' }],
    firstBootScript: '#!/bin/sh\necho hello\n',
  });
  return { guest, needs: cloudNeeds, ...planned };
}

describe('edits for a cloud on a real file system', () => {
  it('are made, read back and told, and the old configuration is kept', async () => {
    await using tiny = await buildTinyGuest(guestOfAnother);
    const { guest, needs, edits } = await planCloud(tiny);
    const images = [{ diskIndex: 0, image: await tiny.withOverlay() }];
    const params = { ...tiny.context, images, guest, edits, needs };
    await applyEdits({ ...params, report: () => undefined });
    const verified = await verifyEdits(params);
    expect(verified.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
    expect(verified.diff).toEqual(
      expect.arrayContaining([
        { path: 'etc/network/interfaces', change: 'moved to etc/ascend/aside/etc/network/interfaces' },
        { path: 'etc/systemd/system/open-vm-tools.service', change: 'link to /dev/null' },
        { path: 'etc/hosts', change: '+ 10.7.2.77 pgtest1' },
      ]),
    );
    expect(await leftovers(tiny.folder)).toEqual([]);
    await using root = await openRootFiles(params);
    const text = async (path: string) => (await root.files.read(path, 65_536))?.toString('latin1') ?? null;
    expect(await text('/etc/network/interfaces')).toContain('iface ens192 inet dhcp');
    expect(await text('/etc/ascend/aside/etc/network/interfaces')).toContain('address 10.0.2.77/24');
    expect(await text('/boot/grub/grub.cfg')).toMatch(/ ro console=tty0 console=ttyS0,115200n8 panic=30\n/);
    expect(await text('/.autorelabel')).toBe('-F\n');
    expect((await root.files.stat('/etc/ascend/first-boot/script'))?.mode).toBe(0o700);
    expect(await root.files.readLink?.('/etc/systemd/system/multi-user.target.wants/waagent.service')).toBe(
      `/${unitFolder}/waagent.service`,
    );
    expect(await root.files.readLink?.('/etc/systemd/system/waagent.service')).toBeNull();
  });

  it('are missed by verification when they were not made', async () => {
    await using tiny = await buildTinyGuest(guestOfAnother);
    const { guest, needs, edits } = await planCloud(tiny);
    const images = [{ diskIndex: 0, image: await tiny.withOverlay() }];
    const { findings } = await verifyEdits({ ...tiny.context, images, guest, edits, needs });
    const failed = findings.filter(({ severity }) => severity === 'blocked').map(({ message }) => message);
    for (const edit of edits) expect(failed.some((message) => message.includes(editPlace(edit)))).toBe(true);
  });

  it('fail with a code when a file to be set aside is not there', async () => {
    await using tiny = await buildTinyGuest();
    const { guest, needs } = await planCloud(tiny);
    const edit: GuestEdit = {
      kind: 'set-aside',
      path: 'etc/gone',
      to: 'etc/ascend/aside/etc/gone',
      reason: '',
    };
    const params = {
      ...tiny.context,
      images: [{ diskIndex: 0, image: await tiny.withOverlay() }],
      guest,
      edits: [edit],
      needs,
    };
    await expect(applyEdits({ ...params, report: () => undefined })).rejects.toMatchObject({
      code: 'GUEST_EDIT_FAILED',
    });
    expect(await leftovers(tiny.folder)).toEqual([]);
  });

  it('cannot be led out of the guest by its links', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'ascend-outside-'));
    const links = { 'etc/systemd/system': outside, 'etc/ascend': outside };
    await using tiny = await buildTinyGuest({ files: { 'etc/blkid.tab': 'x' }, links });
    const { guest, needs } = await planCloud(tiny);
    const edits: readonly GuestEdit[] = [
      { kind: 'set-aside', path: 'etc/blkid.tab', to: 'etc/ascend/aside/etc/blkid.tab', reason: '' },
      { kind: 'make-link', path: 'etc/systemd/system/x.service', target: '/dev/null', reason: '' },
    ];
    const params = {
      ...tiny.context,
      images: [{ diskIndex: 0, image: await tiny.withOverlay() }],
      guest,
      edits,
      needs,
    };
    await applyEdits({ ...params, report: () => undefined }).catch(() => undefined);
    const listed = await runProcess({ program: 'ls', args: ['-A', outside] });
    expect(listed.stdout.trim()).toBe('');
    await rm(outside, { recursive: true });
  });
});

describe('scripts that edits leave in a guest', () => {
  const plan = planEdits({
    guest: {
      family: 'linux',
      distribution: null,
      version: null,
      arch: null,
      hostname: null,
      root: { diskIndex: 0, offsetBytes: 0, sizeBytes: 1, fileSystem: 'ext4' },
      firmware: 'bios',
      initramfsTool: 'none',
      kernels: [
        {
          version: '1',
          initramfsPath: '/boot/initrd.img-1',
          initramfsModules: ['virtio_blk', 'virtio_pci', 'virtio_net'],
          availableModules: ['virtio_blk', 'virtio_pci', 'virtio_net'],
        },
      ],
      nics: [],
      boot: {
        configPaths: ['boot/grub/grub.cfg'],
        consoles: ['ttyS0'],
        kernelArguments: { shared: [], some: ['quiet'] },
        grubDefaults: true,
        separateMounts: [],
        systemdVersion: 252,
        cloudInit: false,
      },
      remarks: [],
    },
    needs: cloudNeeds,
    nics: [],
    firstBootScript: '#!/bin/sh\n',
  });
  const textOf = (path: string): string =>
    plan.edits
      .filter(isTextEdit)
      .filter((edit) => edit.path === path)
      .reduce((text, edit) => applyTextEdit(text, edit) ?? text, '');

  it.each([
    ['exit 0', 1, 'done'],
    ['exit 3', 3, 'given up after 3 attempts'],
  ])('run the operator’s script (%s) %i times and then no more', async (command, runs, end) => {
    const folder = await mkdtemp(join(tmpdir(), 'ascend-first-boot-'));
    const log = join(folder, 'log');
    const runner = textOf('etc/ascend/first-boot/run')
      .replace('here=/etc/ascend/first-boot', `here=${folder}`)
      .replace('log=/var/log/ascend-first-boot.log', `log=${log}`);
    await writeFile(join(folder, 'script'), `#!/bin/sh\necho ran\n${command}\n`, { mode: 0o700 });
    for (let boot = 0; boot < 5; boot += 1) await runProcess({ program: 'sh', args: ['-c', runner] });
    const text = await readFile(log, 'utf8');
    expect(text.split('\n').filter((line) => line === 'ran').length).toBe(runs);
    expect(text.trimEnd().endsWith(end)).toBe(true);
    await rm(folder, { recursive: true });
  });

  it('take arguments off the defaults of grub-mkconfig, neighbours too', async () => {
    const defaults =
      'GRUB_CMDLINE_LINUX="quiet a quiet quiet=1 unquiet quiet"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n';
    const script = `${defaults}${textOf('etc/default/grub.d/90-ascend-arguments.cfg')}echo "$GRUB_CMDLINE_LINUX|$GRUB_CMDLINE_LINUX_DEFAULT"`;
    const { stdout } = await runProcess({ program: 'sh', args: ['-c', script] });
    expect(stdout.trim()).toBe('a unquiet panic=30|');
  });
});
