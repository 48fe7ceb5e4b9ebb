import type { Findings } from '../blocks/structureReport.ts';
import type { ByteReader } from '../formats/imageHeader.ts';
import type { Region } from './checkRegions.ts';
import { itemGuids } from './guid.ts';
import { maxVhdxBytes } from './vhdxLayout.ts';

const mib = 1024 ** 2;
const tableBytes = 64 * 1024;
// [MS-VHDX] 2.6.1.1; so many just fit into the table.
const maxEntries = 2047;
const parentLocator = '2d5fd3a80bb34d45abf7d3d84834ab0c';

const knownItems: ReadonlyMap<string, { readonly name: string; readonly lengthBytes: number }> = new Map([
  [itemGuids.fileParameters.toString('hex'), { name: 'file parameters', lengthBytes: 8 }],
  [itemGuids.virtualDiskSize.toString('hex'), { name: 'virtual disk size', lengthBytes: 8 }],
  [itemGuids.page83.toString('hex'), { name: 'page 83 data', lengthBytes: 16 }],
  [itemGuids.logicalSectorSize.toString('hex'), { name: 'logical sector size', lengthBytes: 4 }],
  [itemGuids.physicalSectorSize.toString('hex'), { name: 'physical sector size', lengthBytes: 4 }],
]);

/** What the metadata says, all of it within the specification's bounds. */
export interface VhdxFacts {
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly logicalSectorBytes: 512 | 4096;
  readonly hasParent: boolean;
}

interface Item {
  readonly guid: string;
  readonly at: number;
  readonly lengthBytes: number;
}

function checkOverlaps(items: readonly Item[], findings: Findings): void {
  let end = 0;
  for (const item of items.toSorted((a, b) => a.at - b.at)) {
    if (item.at < end) findings.add(`the metadata item at ${item.at} overlaps the one before it`);
    end = item.at + item.lengthBytes;
  }
}

/** One entry of the table; null with a finding when it lies at a wrong place, and for an empty item. */
function readItem(table: Buffer, entry: number, region: Region, findings: Findings): Item | null {
  const guid = table.toString('hex', entry, entry + 16);
  const at = table.readUInt32LE(entry + 16);
  const lengthBytes = table.readUInt32LE(entry + 20);
  const isRequired = (table.readUInt32LE(entry + 24) & 4) !== 0;
  const known = knownItems.get(guid);
  if (known === undefined && guid !== parentLocator && isRequired) {
    findings.add(`metadata item ${guid} is required and not known`);
  }
  if (known === undefined && lengthBytes === 0 && at === 0) return null;
  if (at < tableBytes || lengthBytes > mib || at + lengthBytes > region.lengthBytes) {
    findings.add(`metadata item ${guid}: ${lengthBytes} bytes at ${at} lie outside their region`);
    return null;
  }
  if (known === undefined || lengthBytes === known.lengthBytes) return { guid, at, lengthBytes };
  findings.add(`the ${known.name} has ${lengthBytes} bytes instead of ${known.lengthBytes}`);
  return null;
}

/** The items of the table, by GUID. [MS-VHDX] 2.6.1 */
function readItems(table: Buffer, region: Region, findings: Findings): Map<string, Item> {
  const items = new Map<string, Item>();
  const count = table.readUInt16LE(10);
  if (table.toString('latin1', 0, 8) !== 'metadata') {
    findings.add('metadata table: the signature is missing');
    return items;
  }
  if (count > maxEntries) {
    findings.add(`a metadata table of ${count} entries is impossible`);
    return items;
  }
  for (let index = 0; index < count; index += 1) {
    const item = readItem(table, 32 + index * 32, region, findings);
    if (item === null) continue;
    if (items.has(item.guid)) findings.add(`metadata item ${item.guid} is there twice`);
    items.set(item.guid, item);
  }
  checkOverlaps([...items.values()], findings);
  return items;
}

function isSectorSize(value: number): value is 512 | 4096 {
  return value === 512 || value === 4096;
}

function checkValues(values: ReadonlyMap<string, Buffer>, findings: Findings): VhdxFacts | null {
  const valueOf = (guid: Buffer): Buffer => values.get(guid.toString('hex')) ?? Buffer.alloc(16);
  const parameters = valueOf(itemGuids.fileParameters);
  const blockBytes = parameters.readUInt32LE(0);
  const size = valueOf(itemGuids.virtualDiskSize).readBigUInt64LE(0);
  const logicalSectorBytes = valueOf(itemGuids.logicalSectorSize).readUInt32LE(0);
  const physical = valueOf(itemGuids.physicalSectorSize).readUInt32LE(0);
  if (blockBytes < mib || blockBytes > 256 * mib || (blockBytes & (blockBytes - 1)) !== 0) {
    findings.add(`the block size ${blockBytes} is impossible`);
    return null;
  }
  if (!isSectorSize(physical)) findings.add(`the physical sector size ${physical} is impossible`);
  if (!isSectorSize(logicalSectorBytes)) {
    findings.add(`the logical sector size ${logicalSectorBytes} is impossible`);
    return null;
  }
  if (size === 0n || size > BigInt(maxVhdxBytes) || size % BigInt(logicalSectorBytes) !== 0n) {
    findings.add(`the virtual size ${size} is impossible`);
    return null;
  }
  const hasParent = (parameters.readUInt32LE(4) & 2) !== 0;
  return { sizeBytes: Number(size), blockBytes, logicalSectorBytes, hasParent };
}

/** Checks the metadata region; null when it does not tell the disk's shape soundly. [MS-VHDX] 2.6 */
export async function checkMetadata(
  file: ByteReader,
  region: Region,
  findings: Findings,
): Promise<VhdxFacts | null> {
  const table = await file.readAt(region.at, tableBytes);
  const items = readItems(table, region, findings);
  const values = new Map<string, Buffer>();
  for (const [guid, { name }] of knownItems) {
    const item = items.get(guid);
    if (item === undefined) findings.add(`the ${name} is missing`);
    else values.set(guid, await file.readAt(region.at + item.at, item.lengthBytes));
  }
  return values.size === knownItems.size ? checkValues(values, findings) : null;
}
