import type { Findings } from '../blocks/structureReport.ts';
import type { ByteReader } from '../formats/imageHeader.ts';
import { structureChecksum } from './crc32c.ts';
import { batRegionGuid, metadataRegionGuid } from './guid.ts';
import type { SpaceMap } from './spaceMap.ts';
import { places } from './vhdxLayout.ts';

const mib = 1024 ** 2;
const maxEntries = 2047;

/** A range of the file, whole MiB. */
export interface Region {
  readonly at: number;
  readonly lengthBytes: number;
}

/** Where the two required regions lie. */
export interface Regions {
  readonly bat: Region;
  readonly metadata: Region;
}

/** A range of whole MiB behind the first one; null with a finding when it is none or collides with another. */
export function takeRegion(
  name: string,
  offset: bigint,
  lengthBytes: number,
  space: SpaceMap,
  findings: Findings,
): Region | null {
  const at = Number(offset);
  if (at < mib || at % mib !== 0 || lengthBytes === 0 || lengthBytes % mib !== 0) {
    findings.add(`${name}: ${lengthBytes} bytes at ${offset} are no whole MiB behind the first`);
    return null;
  }
  const problem = space.take(at, lengthBytes);
  if (problem === null) return { at, lengthBytes };
  findings.add(`${name}: ${lengthBytes} bytes at ${offset}: ${problem}`);
  return null;
}

function checkTable(table: Buffer, name: string, findings: Findings): boolean {
  if (table.toString('latin1', 0, 4) !== 'regi') {
    findings.add(`${name}: the signature is missing`);
    return false;
  }
  if (table.readUInt32LE(4) === structureChecksum(table)) return true;
  findings.add(`${name}: the checksum is wrong`);
  return false;
}

/** Checks both region tables and takes the space of every region; null when the required ones are not there. [MS-VHDX] 2.2.3 */
export async function checkRegions(
  file: ByteReader,
  space: SpaceMap,
  findings: Findings,
): Promise<Regions | null> {
  const [firstAt, secondAt] = places.regionTables;
  const first = await file.readAt(firstAt, places.regionTableBytes);
  const second = await file.readAt(secondAt, places.regionTableBytes);
  const isFirst = checkTable(first, 'region table 1', findings);
  const isSecond = checkTable(second, 'region table 2', findings);
  if (!isFirst && !isSecond) return null;
  if (!first.equals(second)) findings.add('the two region tables differ');
  const table = isFirst ? first : second;
  const count = table.readUInt32LE(8);
  if (count > maxEntries) {
    findings.add(`a region table of ${count} entries is impossible`);
    return null;
  }
  const found = new Map<string, Region | null>();
  for (let index = 0; index < count; index += 1) {
    const entry = 16 + index * 32;
    const guid = table.toString('hex', entry, entry + 16);
    const isKnown = guid === batRegionGuid.toString('hex') || guid === metadataRegionGuid.toString('hex');
    if (found.has(guid)) findings.add(`region ${guid} is there twice`);
    if (!isKnown && (table.readUInt32LE(entry + 28) & 1) !== 0)
      findings.add(`region ${guid} is required and not known`);
    const length = table.readUInt32LE(entry + 24);
    found.set(guid, takeRegion(`region ${guid}`, table.readBigUInt64LE(entry + 16), length, space, findings));
  }
  const bat = found.get(batRegionGuid.toString('hex'));
  const metadata = found.get(metadataRegionGuid.toString('hex'));
  if (bat === undefined) findings.add('there is no region of the block table');
  if (metadata === undefined) findings.add('there is no metadata region');
  return bat && metadata ? { bat, metadata } : null;
}
