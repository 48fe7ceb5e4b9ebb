import { openImageFile, type ImageFile } from '../formats/imageFile.ts';
import { readVmdkHeader } from '../formats/vmdkHeader.ts';
import type { DescriptorParams } from './descriptor.ts';
import { descriptorSector, descriptorSectors, sectorBytes } from './sparseExtent.ts';

async function hasCreateType(file: ImageFile, createType: string): Promise<boolean> {
  const text = await file.readAt(descriptorSector * sectorBytes, descriptorSectors * sectorBytes);
  return text.toString('latin1').split('\n').includes(`createType="${createType}"`);
}

/** True when the file is a VMDK of this kind and size that stands alone, with its descriptor where VMware and QEMU put it. */
export async function isOwnVmdk(
  filePath: string,
  sizeBytes: number,
  createType: DescriptorParams['createType'],
): Promise<boolean> {
  try {
    const file = await openImageFile(filePath);
    try {
      const header = await readVmdkHeader(file);
      const alone = header.extentFiles.length === 0 && header.backing === null;
      return alone && header.virtualSizeBytes === sizeBytes && (await hasCreateType(file, createType));
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}
