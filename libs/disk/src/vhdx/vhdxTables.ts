import { sealStructure } from './crc32c.ts';
import { batRegionGuid, itemGuids, metadataRegionGuid, newGuid } from './guid.ts';
import { places, type VhdxLayout } from './vhdxLayout.ts';

const creator = 'Ascend';

/** The file type identifier: signature and creator. [MS-VHDX] 2.2.1 */
export function buildFileIdentifier(): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  bytes.write('vhdxfile', 0, 'latin1');
  bytes.write(creator, 8, 'utf16le');
  return bytes;
}

/**
 * A header of a closed file. [MS-VHDX] 2.2.2: of the two the one with the higher sequence number counts; an empty log GUID says that
 * there is nothing to replay.
 */
export function buildHeader(
  sequenceNumber: number,
  ids: { readonly fileWrite: Buffer; readonly dataWrite: Buffer },
): Buffer {
  const bytes = Buffer.alloc(places.headerBytes);
  bytes.write('head', 0, 'latin1');
  bytes.writeBigUInt64LE(BigInt(sequenceNumber), 8);
  ids.fileWrite.copy(bytes, 16);
  ids.dataWrite.copy(bytes, 32);
  bytes.writeUInt16LE(0, 64); // log version
  bytes.writeUInt16LE(1, 66); // version
  bytes.writeUInt32LE(places.logBytes, 68);
  bytes.writeBigUInt64LE(BigInt(places.logAt), 72);
  return sealStructure(bytes);
}

/** The region table: where table and metadata lie; both are required. [MS-VHDX] 2.2.3 */
export function buildRegionTable(layout: VhdxLayout): Buffer {
  const bytes = Buffer.alloc(places.regionTableBytes);
  bytes.write('regi', 0, 'latin1');
  const regions = [
    { guid: batRegionGuid, at: places.batAt, length: layout.batBytes },
    { guid: metadataRegionGuid, at: places.metadataAt, length: places.metadataBytes },
  ];
  bytes.writeUInt32LE(regions.length, 8);
  for (const [index, { guid, at, length }] of regions.entries()) {
    const entry = 16 + index * 32;
    guid.copy(bytes, entry);
    bytes.writeBigUInt64LE(BigInt(at), entry + 16);
    bytes.writeUInt32LE(length, entry + 24);
    bytes.writeUInt32LE(1, entry + 28);
  }
  return sealStructure(bytes);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Bits of a metadata entry: it describes the virtual disk (all but the file's own parameters), and must be understood. */
const isVirtualDisk = 2;
const isRequired = 4;
const itemsAt = 64 * 1024;

/** The metadata region: its table and the five items of a disk without parent. [MS-VHDX] 2.6 */
export function buildMetadata(layout: VhdxLayout): Buffer {
  const bytes = Buffer.alloc(places.metadataBytes);
  const items = [
    // Block size, then flags: blocks may be given back (not fixed), no parent.
    { guid: itemGuids.fileParameters, value: uint64(layout.blockBytes), flags: isRequired },
    { guid: itemGuids.virtualDiskSize, value: uint64(layout.sizeBytes), flags: isVirtualDisk | isRequired },
    { guid: itemGuids.page83, value: newGuid(), flags: isVirtualDisk | isRequired },
    {
      guid: itemGuids.logicalSectorSize,
      value: uint32(layout.logicalSectorBytes),
      flags: isVirtualDisk | isRequired,
    },
    {
      guid: itemGuids.physicalSectorSize,
      value: uint32(layout.physicalSectorBytes),
      flags: isVirtualDisk | isRequired,
    },
  ];
  bytes.write('metadata', 0, 'latin1');
  bytes.writeUInt16LE(items.length, 10);
  let at = itemsAt;
  for (const [index, { guid, value, flags }] of items.entries()) {
    const entry = 32 + index * 32;
    guid.copy(bytes, entry);
    bytes.writeUInt32LE(at, entry + 16);
    bytes.writeUInt32LE(value.length, entry + 20);
    bytes.writeUInt32LE(flags, entry + 24);
    value.copy(bytes, at);
    at += value.length;
  }
  return bytes;
}
