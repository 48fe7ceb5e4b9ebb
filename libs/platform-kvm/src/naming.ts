import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '@ascend/errors';
import { kvmCapabilities } from './data/capabilities.ts';

const ownedPattern = /^ascend-[a-z0-9-]{1,190}$/;
const vmNamePattern = new RegExp(kvmCapabilities.namePattern, 'u');

/** Folder of all VMs below the state folder. */
export function vmsFolder(stateDir: string): string {
  return join(stateDir, 'vms');
}

/** True for a name that a VM may have here; such a name is also a safe folder name. */
export function isVmName(name: string): boolean {
  return name.length <= kvmCapabilities.maxNameLength && vmNamePattern.test(name);
}

/** Folder of one VM. @throws {AppError} TARGET_NAME_ILLEGAL - the name could leave the folder or is too long */
export function vmFolder(stateDir: string, vmName: string): string {
  if (!isVmName(vmName)) {
    const shown = JSON.stringify(vmName.slice(0, 64));
    const message = `name VM ${shown}: must match ${kvmCapabilities.namePattern}, at most ${kvmCapabilities.maxNameLength} characters`;
    throw new AppError({ code: 'TARGET_NAME_ILLEGAL', message });
  }
  return join(vmsFolder(stateDir), vmName);
}

/** Folder in which the QEMU process of a VM keeps socket, log and pid file. */
export function machineFolder(stateDir: string, vmName: string): string {
  return join(vmFolder(stateDir, vmName), 'machine');
}

/** True for a name that this product gives; nothing else is ever opened, listed or removed. */
export function isOwnedName(name: string): boolean {
  return ownedPattern.test(name);
}

/** The given name, once it is seen to be one of ours. @throws {AppError} TARGET_NAME_ILLEGAL */
export function requireOwnedName(name: string): string {
  if (isOwnedName(name)) return name;
  const message = `name disk ${JSON.stringify(name.slice(0, 64))}: must match ${ownedPattern.source}`;
  throw new AppError({ code: 'TARGET_NAME_ILLEGAL', message });
}

/** File name of a finished disk. While it is written it carries the suffix `.partial`. */
export function diskFileName(ownedName: string): string {
  return `${requireOwnedName(ownedName)}.qcow2`;
}

/** Folder of the records that say which job a disk belongs to. */
export function diskRecordsFolder(stateDir: string): string {
  return join(stateDir, 'disks');
}

/** A MAC for a card whose own is unknown: local to QEMU (52:54:00), the same for every attempt. */
export function derivedMac(ownedName: string, nicIndex: number): string {
  const digest = createHash('sha256').update(`${ownedName}:${nicIndex}`).digest();
  const tail = [...digest.subarray(0, 3)].map((byte) => byte.toString(16).padStart(2, '0'));
  return ['52', '54', '00', ...tail].join(':');
}

/** Serial number of a virtual disk: at most 20 characters (virtio-blk), stable over attempts. */
export function diskSerial(ownedName: string, diskIndex: number): string {
  const digest = createHash('sha256').update(ownedName).digest('hex').slice(0, 8);
  return `ascend${digest}-${diskIndex}`;
}
