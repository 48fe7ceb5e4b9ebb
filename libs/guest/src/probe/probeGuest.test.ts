import { open, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { openChain, type DiskImage } from '@ascend/disk';
import type { GuestFacts } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { planEdits } from '../edits/planEdits.ts';
import { tinyRootUuid } from '../testing/guestTree.ts';
import { leftovers } from '../testing/leftovers.ts';
import { buildTinyGuest, type TinyGuest } from '../testing/tinyGuest.ts';
import { tinyNeeds } from '../testing/tinyPlan.ts';
import { probeGuest } from './probeGuest.ts';

async function probe(tiny: TinyGuest, more: readonly DiskImage[] = []): Promise<GuestFacts> {
  const images = [tiny.image, ...more].map((image, diskIndex) => ({ diskIndex, image }));
  return await probeGuest({ ...tiny.context, images });
}

/** A second disk of 1 MiB with `text` at `at`, nothing else. */
async function diskWith(tiny: TinyGuest, at: number, text: string): Promise<DiskImage> {
  const bytes = Buffer.alloc(1024 * 1024);
  bytes.write(text, at, 'latin1');
  await writeFile(join(tiny.folder, 'disk-1.raw'), bytes);
  return {
    chain: await openChain({ rootPath: tiny.folder, path: 'disk-1.raw', format: 'raw' }),
    overlays: [],
  };
}

describe('probeGuest', () => {
  it('finds system, kernels, drivers, network and boot configuration', async () => {
    await using tiny = await buildTinyGuest({
      packing: 'zstd',
      files: {
        'usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so': '',
        'usr/bin/cloud-init': '',
        'etc/systemd/network/10-lan.link': '[Match]\nMACAddress=00:50:56:aa:bb:01\n[Link]\nName=ens192\n',
      },
    });
    const facts = await probe(tiny);
    expect(facts).toMatchObject({
      family: 'linux',
      distribution: 'debian',
      version: '12',
      arch: 'x86_64',
      hostname: 'pgtest1',
      root: { diskIndex: 0, offsetBytes: 1048576, sizeBytes: 62 * 1024 * 1024, fileSystem: 'ext4' },
      firmware: 'bios',
      initramfsTool: 'initramfs-tools',
      nics: [
        {
          name: 'ens192',
          mac: '00:50:56:aa:bb:01',
          addresses: ['10.0.2.77/24'],
          configPath: 'etc/network/interfaces',
        },
      ],
      volumes: [{ diskIndex: 0, partition: 1, content: 'ext4', uuid: tinyRootUuid }],
      deviceNames: [],
      boot: { configPaths: ['boot/grub/grub.cfg'], consoles: [], systemdVersion: 252, cloudInit: true },
      remarks: [],
    });
    expect(facts.kernels).toEqual([
      {
        version: '6.1.0-1-amd64',
        initramfsPath: '/boot/initrd.img-6.1.0-1-amd64',
        initramfsModules: ['ext4', 'sd_mod', 'vmw_pvscsi'],
        availableModules: [
          'ext4',
          'libata',
          'sd_mod',
          'virtio',
          'virtio_blk',
          'virtio_net',
          'virtio_pci',
          'vmw_pvscsi',
        ],
        builtinModules: ['libata'],
      },
    ]);
    expect(await leftovers(tiny.folder)).toEqual([]);
  });

  it('finds the root by content on whatever disk it lies, and tells names of disks apart', async () => {
    const fstab =
      '/dev/sdb1 / ext4 defaults 0 1\n/dev/sda1 /data ext4 defaults 0 2\n/dev/sdb5 none swap sw 0 0\n';
    await using tiny = await buildTinyGuest({ fstab });
    const data = await diskWith(tiny, 0, 'no file system');
    const images = [
      { diskIndex: 0, image: data },
      { diskIndex: 1, image: tiny.image },
    ];
    const facts = await probeGuest({ ...tiny.context, images });
    expect(facts.root?.diskIndex).toBe(1);
    expect(facts.deviceNames).toEqual([
      { path: 'etc/fstab', device: '/dev/sdb1', uuid: tinyRootUuid },
      { path: 'etc/fstab', device: '/dev/sda1', uuid: null },
      { path: 'etc/fstab', device: '/dev/sdb5', uuid: null },
    ]);
  });

  it('trusts no order of disks when the name of the root contradicts it', async () => {
    const fstab = '/dev/sdb1 / ext4 defaults 0 1\n/dev/sda1 /data ext4 defaults 0 2\n';
    await using tiny = await buildTinyGuest({ fstab });
    expect((await probe(tiny)).deviceNames).toEqual([
      { path: 'etc/fstab', device: '/dev/sdb1', uuid: tinyRootUuid },
      { path: 'etc/fstab', device: '/dev/sda1', uuid: null },
    ]);
  });

  it('replays the journal of a file system that was in use, without writing to the backup', async () => {
    await using tiny = await buildTinyGuest();
    const volume = `${tiny.diskPath}?offset=1048576`;
    const debugfs = async (...args: readonly string[]): Promise<string> =>
      (await runProcess({ program: 'debugfs', args: [...args, volume] })).stdout;
    const block = /\d+/.exec(await debugfs('-R', 'bmap /etc/hostname 0'))?.[0] ?? '';
    const content = join(tiny.folder, 'block');
    await writeFile(content, Buffer.concat([Buffer.from('newname\n'), Buffer.alloc(1016)]));
    await writeFile(join(tiny.folder, 'commands'), `jo\njw -b ${block} ${content}\njc\n`);
    await debugfs('-w', '-f', join(tiny.folder, 'commands'));
    const sha256 = async (): Promise<string> =>
      createHash('sha256')
        .update(await readFile(tiny.diskPath))
        .digest('hex');
    const before = await sha256();
    const image: DiskImage = {
      chain: await openChain({ rootPath: tiny.folder, path: 'disk-0.raw', format: 'raw' }),
      overlays: [],
    };
    const facts = await probeGuest({ ...tiny.context, images: [{ diskIndex: 0, image }] });
    expect(facts.hostname).toBe('newname');
    expect(facts.remarks).toEqual(['disk 0 partition 1: was in use when backed up; its journal is replayed']);
    expect(await sha256()).toBe(before);
    expect(await leftovers(tiny.folder)).toEqual([]);
  });

  it.each([
    ['LUKS\xba\xbe', 0, 'LUKS encryption (without a UUID): no key has opened it', 'linux'],
    ['LABELONE', 512, 'LVM cannot be prepared yet', 'linux'],
  ])('remarks what it cannot look into: %s', async (magic, at, remark, family) => {
    await using tiny = await buildTinyGuest();
    const facts = await probeGuest({
      ...tiny.context,
      images: [{ diskIndex: 0, image: await diskWith(tiny, at, magic) }],
    });
    expect(facts).toMatchObject({ family, root: null, remarks: [`disk 0: ${remark}`] });
    const { edits, findings } = planEdits({ guest: facts, needs: tinyNeeds, nics: [] });
    expect(edits).toEqual([]);
    expect(findings.map(({ severity }) => severity)).toEqual(['blocked']);
    expect(findings[0]?.evidence).toContain(remark);
  });

  it.runIf(process.getuid?.() === 0)('remarks what the kernel refuses to mount', async () => {
    await using tiny = await buildTinyGuest();
    const image = await diskWith(tiny, 0, 'XFSB');
    const facts = await probeGuest({ ...tiny.context, images: [{ diskIndex: 0, image }] });
    expect(facts).toMatchObject({ family: 'linux', root: null });
    expect(facts.remarks).toEqual([
      expect.stringMatching(/^disk 0: open xfs: the kernel of this machine cannot mount it: /),
    ]);
    expect(await leftovers(tiny.folder)).toEqual([]);
  });

  it('remarks an initramfs it cannot read, and goes on', async () => {
    await using tiny = await buildTinyGuest({ files: { 'boot/initrd.img-6.1.0-1-amd64': 'broken' } });
    const facts = await probe(tiny);
    expect(facts.kernels[0]?.initramfsModules).toEqual([]);
    expect(facts.remarks[0]).toMatch(/^\/boot\/initrd.img-6.1.0-1-amd64: read initramfs: packing unknown/);
  });

  it('remarks a configuration that is too large to be one', async () => {
    await using tiny = await buildTinyGuest({ fstab: '/dev/sda1 /mnt ext4 defaults 0 0\n'.repeat(150_000) });
    const facts = await probe(tiny);
    expect(facts.root).toBeNull();
    expect(facts.remarks).toEqual([
      'disk 0 partition 1: read /etc/fstab: 4950000 bytes, at most 1048576 are read',
    ]);
  });

  it('is not led out of the guest by links, and not stopped by strange names', async () => {
    await using tiny = await buildTinyGuest({
      links: { 'etc/netplan/x.yaml': '/etc/shadow', 'etc/systemd/network': '../../../../../../../etc' },
      files: { 'boot/vmlinuz-; touch x': '', 'boot/vmlinuz-line\nbreak': '', 'etc/netplan/a b.yaml': 'x' },
    });
    const facts = await probe(tiny);
    expect(facts.kernels.map(({ version }) => version)).toEqual(['6.1.0-1-amd64']);
    expect(facts.nics.map(({ name }) => name)).toEqual(['ens192']);
  });

  it('ends with a code when it is cancelled', async () => {
    await using tiny = await buildTinyGuest();
    const images = [{ diskIndex: 0, image: tiny.image }];
    const probing = probeGuest({ ...tiny.context, images, signal: AbortSignal.abort() });
    await expect(probing).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  });

  it('refuses a root whose metadata is damaged with a remark', async () => {
    await using tiny = await buildTinyGuest();
    const file = await open(tiny.diskPath, 'r+');
    await file.write(Buffer.alloc(64 * 1024, 0xff), 0, 64 * 1024, 1048576 + 2048);
    await file.close();
    const image: DiskImage = {
      chain: await openChain({ rootPath: tiny.folder, path: 'disk-0.raw', format: 'raw' }),
      overlays: [],
    };
    const facts = await probeGuest({ ...tiny.context, images: [{ diskIndex: 0, image }] });
    expect(facts.root).toBeNull();
    expect(facts.remarks[0]).toMatch(/^disk 0 partition 1: /);
  });
});
