import { constants } from 'node:fs';
import { access, copyFile, link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { stateFiles, type MachineSpec } from './machineSpec.ts';
import type { FirmwareFiles } from './qemuArguments.ts';

// Debian and Ubuntu, Fedora and RHEL, Arch, openSUSE.
const places = [
  ['/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'],
  ['/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'],
  ['/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'],
  ['/usr/share/edk2/x64/OVMF_CODE.4m.fd', '/usr/share/edk2/x64/OVMF_VARS.4m.fd'],
  ['/usr/share/qemu/ovmf-x86_64-code.bin', '/usr/share/qemu/ovmf-x86_64-vars.bin'],
] as const;

async function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** Gives the machine variables of its own, once; a restart of the machine keeps what the guest wrote. */
async function ownVariables(templatePath: string, path: string): Promise<void> {
  if (await readable(path)) return;
  const partial = `${path}.${newId()}.partial`;
  await copyFile(templatePath, partial);
  // link fails when another starter was first; then that one's copy counts.
  await link(partial, path).catch(() => undefined);
  await rm(partial, { force: true });
}

/**
 * The firmware files for a machine; null for BIOS, which QEMU brings along.
 *
 * @throws {AppError} GUEST_MACHINE_FIRMWARE_MISSING
 */
export async function firmwareFor(spec: MachineSpec): Promise<FirmwareFiles | null> {
  if (spec.firmware === 'bios') return null;
  for (const [codePath, templatePath] of places) {
    if (!(await readable(codePath)) || !(await readable(templatePath))) continue;
    const varsPath = join(spec.stateDir, stateFiles.firmwareVars);
    await ownVariables(templatePath, varsPath);
    return { codePath, varsPath };
  }
  throw new AppError({
    code: 'GUEST_MACHINE_FIRMWARE_MISSING',
    message: `start machine ${spec.name}: no UEFI firmware in ${places.length} known places`,
    details: { searched: places.map(([codePath]) => codePath) },
  });
}
