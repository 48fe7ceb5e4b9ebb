import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootMenuFacts, Firmware } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { encodeCpio } from '../initramfs/cpio.ts';
import { embeddedConfig, grubModules, grubTargets } from './grubModules.ts';

const grubFolder = '/usr/lib/grub';
const packages: Readonly<Record<Firmware, string>> = { bios: 'grub-pc-bin', uefi: 'grub-efi-amd64-bin' };
const timeoutMs = 60_000;

/** GRUB for one firmware that shows one menu. */
export interface LoaderImage {
  /** EFI program, or core image for BIOS. */
  readonly image: Buffer;
  /** Code for the master boot record; null for UEFI. */
  readonly bootSector: Buffer | null;
}

async function assertInstalled(firmware: Firmware): Promise<string> {
  const folder = join(grubFolder, grubTargets[firmware]);
  if ((await stat(join(folder, 'normal.mod')).catch(() => null)) !== null) return folder;
  throw new AppError({
    code: 'GUEST_BOOT_LOADER_UNAVAILABLE',
    message: `make boot loader: this machine has no GRUB for ${firmware} (${folder})`,
    hint: `Install the Debian package ${packages[firmware]} on the machine that prepares the guest.`,
  });
}

/**
 * Makes GRUB of this machine's modules with a configuration inside that shows the guest's menu: nothing of the guest runs, and the same
 * menu gives the same bytes. Not signed: Secure Boot refuses it.
 *
 * @throws {AppError} GUEST_BOOT_LOADER_UNAVAILABLE - no modules of GRUB here; PROCESS_*, OPERATION_CANCELLED
 */
export async function buildLoader(params: {
  readonly firmware: Firmware;
  readonly menu: BootMenuFacts;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<LoaderImage> {
  const { firmware, menu, workDir, signal } = params;
  const modules = await assertInstalled(firmware);
  const folder = await mkdtemp(join(workDir, 'loader-'));
  try {
    const memdisk = join(folder, 'memdisk.cpio');
    const output = join(folder, 'grub.img');
    const config = Buffer.from(embeddedConfig(menu));
    const files = [
      { name: 'boot', mode: 0o040755, data: Buffer.alloc(0) },
      { name: 'boot/grub.cfg', mode: 0o644, data: config },
    ];
    await writeFile(memdisk, encodeCpio(files));
    // A prefix without folder would be replaced by the one the firmware started the program from.
    const where = [
      '-O',
      grubTargets[firmware],
      '-d',
      modules,
      '-m',
      memdisk,
      '-p',
      '(memdisk)/boot',
      '-o',
      output,
    ];
    const args = [...where, ...grubModules(firmware, menu)];
    await runProcess({ program: 'grub-mkimage', args, signal, timeoutMs });
    const image = await readFile(output);
    return { image, bootSector: firmware === 'bios' ? await readFile(join(modules, 'boot.img')) : null };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
