import { open } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { changeFile } from '../fileErrors.ts';

// Header of a sparse extent: descriptorOffset and descriptorSize in sectors ("Virtual Disk Format 5.0", VMware 2011).
const offsetField = 28;
const sizeField = 36;
const maxDescriptorBytes = 64 * 1024;

/**
 * Puts another file name into the descriptor inside a VMDK file of our making: qemu-img records the name it wrote to, which is the partial one.
 * Idempotent. Not durable before the next sync.
 *
 * @throws {AppError} DISK_HEADER_INVALID - there is no descriptor; DISK_IO_FAILED
 */
export async function renameInDescriptor(filePath: string, from: string, to: string): Promise<void> {
  await changeFile('rename inside', filePath, async () => {
    const handle = await open(filePath, 'r+');
    try {
      const header = Buffer.alloc(512);
      await handle.read(header, 0, header.length, 0);
      const offset = Number(header.readBigUInt64LE(offsetField)) * 512;
      const length = Number(header.readBigUInt64LE(sizeField)) * 512;
      if (header.toString('latin1', 0, 4) !== 'KDMV' || length === 0 || length > maxDescriptorBytes) {
        throw new AppError({
          code: 'DISK_HEADER_INVALID',
          message: `rename inside ${filePath}: there is no descriptor`,
          details: { file: filePath, offsetBytes: offset, lengthBytes: length },
        });
      }
      const descriptor = Buffer.alloc(length);
      await handle.read(descriptor, 0, length, offset);
      const text = descriptor.toString('utf8').replace(/\0+$/, '').replaceAll(`"${from}"`, `"${to}"`);
      // The new name is shorter; what is left of the old text becomes zeros.
      const written = Buffer.alloc(length);
      written.write(text, 'utf8');
      await handle.write(written, 0, length, offset);
    } finally {
      await handle.close();
    }
  });
}
