import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';

/** A part of a disk file that becomes a physical volume. */
export interface PhysicalArea {
  readonly path: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

async function attach(area: PhysicalArea): Promise<string> {
  const place = ['--offset', String(area.offsetBytes), '--sizelimit', String(area.sizeBytes)];
  const { stdout } = await runProcess({
    program: 'losetup',
    args: ['--find', '--show', ...place, area.path],
  });
  return stdout.trim();
}

function configOf(folder: string): string {
  const devices = [`dir="${folder}/dev"`, `scan=["${folder}/dev"]`, 'filter=["a|.*|"]'];
  return [
    `devices { ${devices.join(' ')} use_devicesfile=0 obtain_device_list_from_udev=0 }`,
    'backup { archive=0 backup=0 } activation { udev_sync=0 udev_rules=0 monitoring=0 }',
    `global { locking_dir="${folder}/lock" use_lvmpolld=0 }`,
  ].join(' ');
}

/**
 * Makes a volume group on parts of disk files by LVM's own tools, without device-mapper: only metadata is written. Root
 * and loop devices are needed. `commands` are LVM commands (`lvcreate …`); they may name the group and `pv0`, `pv1`.
 */
export async function makeLvmGroup(params: {
  readonly folder: string;
  readonly group: string;
  readonly areas: readonly PhysicalArea[];
  readonly commands: readonly (readonly string[])[];
}): Promise<void> {
  const folder = await mkdtemp(join(params.folder, 'lvm-'));
  for (const name of ['dev', 'etc', 'lock']) await mkdir(join(folder, name));
  const config = configOf(folder);
  const env = { LVM_SYSTEM_DIR: join(folder, 'etc'), LVM_SUPPRESS_FD_WARNINGS: '1' };
  const lvm = async ([command = '', ...args]: readonly string[]): Promise<void> => {
    const inactive = command === 'lvcreate' ? ['-an', '-Zn', '-Wn'] : [];
    const own = args.map((arg) => (/^pv\d$/.test(arg) ? join(folder, 'dev', arg) : arg));
    const all = [command, '--driverloaded', 'n', '--config', config, ...inactive, ...own];
    await runProcess({ program: 'lvm', args: all, env });
  };
  const loops: string[] = [];
  try {
    for (const [index, area] of params.areas.entries()) {
      const loop = await attach(area);
      loops.push(loop);
      await symlink(loop, join(folder, 'dev', `pv${index}`));
    }
    const names = params.areas.map((_, index) => `pv${index}`);
    await lvm(['vgcreate', '-s', '1M', params.group, ...names]);
    for (const command of params.commands) await lvm(command);
  } finally {
    for (const loop of loops) await runProcess({ program: 'losetup', args: ['--detach', loop] });
    await rm(folder, { recursive: true, force: true });
  }
}
