import { basename, dirname, join } from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { writeVmSpec, type BuiltBackup } from './builtBackup.ts';
import { cachedFolder } from './cacheFolder.ts';
import { debianRoot, type DebianRootParams } from './debianRoot.ts';
import { buildDisk } from './guestDisk.ts';
import { addFiles, removeTree, unpackTree, writeGuestFiles } from './guestTree.ts';
import { kernelRelease, loaderPaths } from './kernelFiles.ts';
import { sampleUuids, sampleNic } from './sampleFiles.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const contextName = 'ctx-pgtest1-20251006-203401';

/** The VM the sample backup was taken of. */
export const sampleVm: VmSpec = {
  name: 'pgtest1',
  cpuCount: 2,
  coresPerSocket: 1,
  memoryBytes: gib / 2,
  firmware: 'bios',
  secureBoot: false,
  tpm: false,
  disks: [
    { diskIndex: 0, sizeBytes: 2 * gib, bus: 'pvscsi', bootOrder: 0, vmwareDiskKey: 2000 },
    { diskIndex: 1, sizeBytes: gib, bus: 'pvscsi', bootOrder: null, vmwareDiskKey: 2001 },
  ],
  nics: [
    {
      nicIndex: 0,
      mac: sampleNic.mac,
      network: 'VM Network',
      model: 'vmxnet3',
      addresses: [sampleNic.address],
    },
  ],
  osId: 'debian12_64Guest',
  notes: null,
  tags: {},
};

function grubConfiguration(kernelVersion: string): string {
  return `set timeout=0
set default=0
menuentry 'Debian GNU/Linux' --class debian --class gnu-linux {
	search --no-floppy --fs-uuid --set=root ${sampleUuids.root}
	linux	/boot/vmlinuz-${kernelVersion} root=UUID=${sampleUuids.root} ro console=tty0 console=ttyS0,115200n8 quiet
	initrd	/boot/initrd.img-${kernelVersion}
}
`;
}

async function buildRootDisk(tree: string, partialDir: string): Promise<void> {
  const release = await kernelRelease(tree);
  await addFiles(tree, join(partialDir, 'staging'), [
    { path: 'boot/grub/grub.cfg', text: grubConfiguration(release) },
  ]);
  await buildDisk({
    partialDir,
    vmName: sampleVm.name,
    contextName,
    diskIndex: 0,
    sizeBytes: 2 * gib,
    uuid: sampleUuids.root,
    treeDir: tree,
    loader: loaderPaths(tree),
    markerPath: '/etc/ascend-marker',
    dataPath: '/srv/changed.bin',
    changedBytes: 4 * mib,
  });
}

async function buildDataDisk(tree: string, partialDir: string): Promise<void> {
  await writeGuestFiles(tree, [{ path: 'ascend-marker', text: 'full\n' }]);
  await buildDisk({
    partialDir,
    vmName: sampleVm.name,
    contextName,
    diskIndex: 1,
    sizeBytes: gib,
    uuid: sampleUuids.data,
    treeDir: tree,
    loader: null,
    markerPath: '/ascend-marker',
    dataPath: '/changed.bin',
    changedBytes: 6 * mib,
  });
}

/**
 * A real Debian 12 server, backed up three times: its initramfs holds only the source hardware's drivers, its address is
 * bound to `ens192`, and both disks carry a marker that differs at each point. About 60 s the first time, then cached.
 */
export async function sampleBackup(params: DebianRootParams): Promise<BuiltBackup> {
  const rootTar = await debianRoot(params);
  const sources = [
    'sampleGuest.ts',
    'sampleFiles.ts',
    'guestDisk.ts',
    'rawDisk.ts',
    'backupChain.ts',
    'kernelFiles.ts',
  ];
  const folder = await cachedFolder({
    cacheDir: params.cacheDir,
    name: 'sample-backup',
    sources: sources.map((name) => join(import.meta.dirname, name)),
    options: { root: basename(dirname(rootTar)) },
    build: async (partialDir) => {
      const tree = join(partialDir, 'tree');
      await unpackTree(rootTar, tree);
      await buildRootDisk(tree, partialDir);
      await removeTree(tree);
      const dataTree = join(partialDir, 'data-tree');
      await buildDataDisk(dataTree, partialDir);
      await removeTree(dataTree);
      await writeVmSpec(join(partialDir, 'repository'), contextName, sampleVm);
    },
  });
  return {
    repositoryPath: join(folder, 'repository'),
    contextName,
    vmName: sampleVm.name,
    diskCount: sampleVm.disks.length,
    vm: sampleVm,
  };
}
