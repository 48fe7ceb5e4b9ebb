import { AppError } from '@ascend/errors';
import type { LoaderImage } from './buildLoader.ts';

const sectorBytes = 512;
/** Up to the disk signature, which stays. */
const codeBytes = 440;
// Offsets of GRUB's boot sector and of the first sector of its core image (GRUB 2.06, include/grub/i386/pc/boot.h and
// grub-core/boot/i386/pc/diskboot.S), set as grub-bios-setup sets them.
const kernelSectorAt = 0x5c;
const bootDriveAt = 0x64;
const driveCheckAt = 0x66;
const blockListAt = 0x1f4;
const bootDriveOfFirmware = 0xff;
const noOperations = 0x9090;

/** The two parts of a BIOS boot loader as they lie on one disk. */
export interface BiosSectors {
  /** For the first 440 bytes of the disk. */
  readonly bootCode: Buffer;
  /** For `firstSector` and what follows; whole sectors. */
  readonly core: Buffer;
}

/** @throws {AppError} GUEST_EDIT_FAILED - the loader does not fit into the area; INTERNAL_BUG - it is none for BIOS */
export function biosSectors(
  { image, bootSector }: LoaderImage,
  area: { readonly firstSector: number; readonly sectors: number },
): BiosSectors {
  if (bootSector === null || bootSector.length !== sectorBytes)
    throw new AppError({ code: 'INTERNAL_BUG', message: 'place boot loader: no boot sector' });
  const core = Buffer.alloc(Math.ceil(image.length / sectorBytes) * sectorBytes);
  image.copy(core);
  if (core.length > area.sectors * sectorBytes) {
    const message = `place boot loader: ${core.length} bytes do not fit into ${area.sectors} sectors`;
    throw new AppError({ code: 'GUEST_EDIT_FAILED', message });
  }
  // The boot sector loads the first sector of the core image, which loads the rest.
  core.writeBigUInt64LE(BigInt(area.firstSector + 1), blockListAt);
  const bootCode = Buffer.from(bootSector.subarray(0, codeBytes));
  bootCode.writeBigUInt64LE(BigInt(area.firstSector), kernelSectorAt);
  bootCode.writeUInt8(bootDriveOfFirmware, bootDriveAt);
  // Firmware that passes a floppy's number for a hard disk is not believed.
  bootCode.writeUInt16LE(noOperations, driveCheckAt);
  return { bootCode, core };
}
