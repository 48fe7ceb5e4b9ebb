import { inflateSync } from 'node:zlib';

/** What a streamOptimized file holds, once every rule of its structure was found kept. */
export interface DecodedStream {
  readonly sizeBytes: number;
  readonly descriptor: string;
  /** Grains by the sector of the disk they start at; all else is zeros. */
  readonly grains: ReadonlyMap<number, Buffer>;
}

const sector = 512;
const grainBytes = 65_536;

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`streamOptimized: ${rule}`);
}

interface Header {
  readonly capacity: number;
  readonly directory: bigint;
  readonly overhead: number;
  readonly descriptorAt: number;
  readonly descriptorSectors: number;
}

function readHeader(bytes: Buffer): Header {
  must(bytes.toString('latin1', 0, 4) === 'KDMV', 'the magic is KDMV');
  must(bytes.readUInt32LE(4) === 3, 'the version is 3');
  must(bytes.readUInt32LE(8) === 0x3_0001, 'flags: newline test, compressed, markers');
  must(
    bytes.readBigUInt64LE(20) === 128n && bytes.readUInt32LE(44) === 512,
    'grains of 64 KiB, tables of 512',
  );
  must(bytes.readBigUInt64LE(48) === 0n, 'no redundant directory');
  must(bytes.toString('latin1', 72, 77) === '\0\n \r\n', 'clean, and line ends as written');
  must(bytes.readUInt16LE(77) === 1, 'the algorithm is deflate');
  must(
    bytes.subarray(79, sector).every((byte) => byte === 0),
    'the header is padded with zeros',
  );
  return {
    capacity: Number(bytes.readBigUInt64LE(12)),
    directory: bytes.readBigUInt64LE(56),
    overhead: Number(bytes.readBigUInt64LE(64)),
    descriptorAt: Number(bytes.readBigUInt64LE(28)),
    descriptorSectors: Number(bytes.readBigUInt64LE(36)),
  };
}

interface Walk {
  readonly grains: Map<number, Buffer>;
  readonly grainAt: Map<number, number>;
  readonly tables: { at: number; content: Buffer; grains: number[] }[];
  directory: { at: number; content: Buffer } | null;
  footer: Header | null;
  lastGrain: number;
}

function takeGrain(file: Buffer, at: number, capacity: number, walk: Walk, open: number[]): number {
  const diskSector = Number(file.readBigUInt64LE(at));
  const length = file.readUInt32LE(at + 8);
  const end = at + Math.ceil((12 + length) / sector) * sector;
  must(end - at <= grainBytes + 2 * sector, 'a coded grain is at most 129 sectors');
  must(
    diskSector % 128 === 0 && diskSector < capacity,
    'a grain starts inside the disk, at a multiple of its size',
  );
  must(diskSector > walk.lastGrain, 'grains come in the order of the disk');
  must(
    file.subarray(at + 12 + length, end).every((byte) => byte === 0),
    'a grain is padded with zeros',
  );
  const content = inflateSync(file.subarray(at + 12, at + 12 + length));
  must(content.length === grainBytes, 'a grain inflates to 64 KiB');
  must(
    content.some((byte) => byte !== 0),
    'a grain of zeros is left out',
  );
  walk.lastGrain = diskSector;
  walk.grains.set(diskSector, content);
  walk.grainAt.set(diskSector, at / sector);
  open.push(diskSector);
  return end;
}

function takeMarker(file: Buffer, at: number, walk: Walk, open: number[]): { next: number; ended: boolean } {
  const sectors = Number(file.readBigUInt64LE(at));
  const type = file.readUInt32LE(at + 12);
  must(
    file.subarray(at + 16, at + sector).every((byte) => byte === 0),
    'a marker is padded with zeros',
  );
  const body = file.subarray(at + sector, at + sector * (1 + sectors));
  const next = at + sector * (1 + sectors);
  if (type === 0) {
    must(sectors === 0 && next === file.length, 'the end marker is the last sector');
    return { next, ended: true };
  }
  must(walk.footer === null, 'nothing but the end follows the footer');
  if (type === 1) {
    must(sectors === 4 && open.length > 0, 'a table has 4 sectors and follows its grains');
    walk.tables.push({ at: at / sector + 1, content: body, grains: open.splice(0) });
  } else if (type === 2) {
    must(open.length === 0 && walk.directory === null, 'one directory follows the last table');
    walk.directory = { at: at / sector + 1, content: body };
  } else {
    must(type === 3 && sectors === 1 && walk.directory !== null, 'the footer follows the directory');
    walk.footer = readHeader(body);
  }
  return { next, ended: false };
}

function checkTables(walk: Walk, capacity: number): void {
  const directory = walk.directory?.content ?? Buffer.alloc(0);
  const count = Math.ceil(capacity / 65_536);
  must(
    directory.length === Math.ceil((4 * count) / sector) * sector,
    'the directory has an entry per 32 MiB',
  );
  const entries = new Map<number, number>();
  for (let index = 0; index < directory.length / 4; index += 1) {
    const at = directory.readUInt32LE(4 * index);
    if (at !== 0) entries.set(index, at);
  }
  must(entries.size === walk.tables.length, 'the directory names every table and nothing else');
  for (const table of walk.tables) {
    const index = Math.floor(table.grains[0]! / 65_536);
    must(entries.get(index) === table.at, 'the directory names the table at its place');
    const named = new Map<number, number>();
    for (let entry = 0; entry < 512; entry += 1) {
      const at = table.content.readUInt32LE(4 * entry);
      if (at !== 0) named.set((index * 512 + entry) * 128, at);
    }
    must(named.size === table.grains.length, 'a table names each of its grains and nothing else');
    for (const grain of table.grains)
      must(named.get(grain) === walk.grainAt.get(grain), 'a table names a grain at its place');
  }
}

/** Reads a file in the footer form from start to end, as a receiver of the stream would. @throws Error naming the broken rule */
export function decodeStreamOptimized(file: Buffer): DecodedStream {
  must(file.length % sector === 0, 'the file ends with a sector');
  const header = readHeader(file);
  must(header.directory === 2n ** 64n - 1n, 'the header says that the directory is at the end');
  const descriptorEnd = sector * (header.descriptorAt + header.descriptorSectors);
  const descriptor = file.toString('latin1', sector * header.descriptorAt, descriptorEnd).split('\0')[0]!;
  must(
    file.subarray(descriptorEnd, sector * header.overhead).every((byte) => byte === 0),
    'zeros up to the grains',
  );
  const walk: Walk = {
    grains: new Map(),
    grainAt: new Map(),
    tables: [],
    directory: null,
    footer: null,
    lastGrain: -1,
  };
  const open: number[] = [];
  let ended = false;
  let last = -1;
  for (let at = sector * header.overhead; !ended;) {
    must(at + sector <= file.length, 'the file ends with a marker');
    if (file.readUInt32LE(at + 8) === 0) ({ next: at, ended } = takeMarker(file, at, walk, open));
    else {
      const index = Math.floor(Number(file.readBigUInt64LE(at)) / 65_536);
      must(open.length === 0 || index === last, 'a table is written before the next one begins');
      last = index;
      at = takeGrain(file, at, header.capacity, walk, open);
    }
  }
  const { footer, directory } = walk;
  must(footer !== null && footer.directory === BigInt(directory?.at ?? -1), 'the footer names the directory');
  must(
    footer?.capacity === header.capacity && footer.overhead === header.overhead,
    'the footer is the header else',
  );
  checkTables(walk, header.capacity);
  return { sizeBytes: header.capacity * sector, descriptor, grains: walk.grains };
}
