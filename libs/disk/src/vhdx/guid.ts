import { randomUUID } from 'node:crypto';

/** The 16 bytes of a GUID in a file: the first three groups little-endian, the rest as printed. */
export function guidBytes(guid: string): Buffer {
  const hex = Buffer.from(guid.replaceAll('-', ''), 'hex');
  hex.subarray(0, 4).reverse();
  hex.subarray(4, 6).reverse();
  hex.subarray(6, 8).reverse();
  return hex;
}

/** A new random GUID, in file bytes. */
export function newGuid(): Buffer {
  return guidBytes(randomUUID());
}

// [MS-VHDX] 2.2.3.2 (regions) and 2.6.2 (metadata items), version of 2018-09-12.
/** Region of the block allocation table. */
export const batRegionGuid = guidBytes('2DC27766-F623-4200-9D64-115E9BFD4A08');
/** Region of the metadata. */
export const metadataRegionGuid = guidBytes('8B7CA206-4790-4B9A-B8FE-575F050F886E');

/** Items of the metadata region that every file has. */
export const itemGuids = {
  fileParameters: guidBytes('CAA16737-FA36-4D43-B3B6-33F0AA44E76B'),
  virtualDiskSize: guidBytes('2FA54224-CD1B-4876-B211-5DBED83BF4B8'),
  page83: guidBytes('BECA12AB-B2E6-4523-93EF-C309E000C746'),
  logicalSectorSize: guidBytes('8141BF1D-A96F-4709-BA47-F233A8FAAB5F'),
  physicalSectorSize: guidBytes('CDA348C7-445D-4471-9CC9-E9885251C556'),
} as const;
