import { AppError } from '@ascend/errors';

const mib = 1024 ** 2;

/**
 * Largest VHD. A dynamic one cannot hold more (its table counts 512-byte sectors in 32 bits); a fixed one could, but neither
 * Windows nor QEMU opens it, so both kinds of files stop here. A cloud that takes larger fixed disks takes them as a stream with a footer
 * behind it (`buildVhdFooter`), not as a file.
 */
export const maxVhdBytes = 2040 * 1024 ** 3;

/**
 * The size of a VHD that holds a disk of `sizeBytes`: exact to the sector of 512 bytes, never rounded to a geometry. `roundToMiB` is
 * for targets that want whole MiB. Planners use it for the target size; what lies behind the source's end is zeros.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 2040 GiB
 */
export function vhdSizeBytes(sizeBytes: number, options: { readonly roundToMiB?: boolean } = {}): number {
  const unit = options.roundToMiB === true ? mib : 512;
  const size = Math.ceil(sizeBytes / unit) * unit;
  if (size <= maxVhdBytes) return size;
  throw new AppError({
    code: 'DISK_FORMAT_LIMIT',
    message: `size VHD: ${size} bytes are more than the ${maxVhdBytes} bytes (2040 GiB) that the format takes`,
    details: { format: 'vhd', limitBytes: maxVhdBytes, sizeBytes: size },
  });
}
