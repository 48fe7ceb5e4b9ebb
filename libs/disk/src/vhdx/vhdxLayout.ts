const mib = 1024 ** 2;

/** Where the fixed structures lie. [MS-VHDX] 2.1, 2.2. */
export const places = {
  headers: [64 * 1024, 128 * 1024],
  regionTables: [192 * 1024, 256 * 1024],
  headerBytes: 4096,
  regionTableBytes: 64 * 1024,
  /** Of our own files; the specification lets them lie at any MiB behind the first. */
  logAt: mib,
  logBytes: mib,
  metadataAt: 2 * mib,
  metadataBytes: mib,
  batAt: 3 * mib,
} as const;

/** Largest virtual disk. [MS-VHDX] 2.6.2.2. */
export const maxVhdxBytes = 64 * 1024 ** 4;

/** Sector sizes that a guest sees. */
export interface SectorSizes {
  readonly logicalSectorBytes: 512 | 4096;
  readonly physicalSectorBytes: 512 | 4096;
}

/** What decides where everything lies. */
export interface VhdxShape extends SectorSizes {
  readonly sizeBytes: number;
  /** A power of two, 1 to 256 MiB. */
  readonly blockBytes: number;
}

/** The places that follow from a shape. */
export interface VhdxLayout extends VhdxShape {
  /** Payload blocks between two sector bitmap entries of the table. */
  readonly chunkRatio: number;
  readonly blocks: number;
  readonly batEntries: number;
  /** Whole MiB. */
  readonly batBytes: number;
  readonly firstPayloadAt: number;
}

/** Payload blocks for each sector bitmap block: such a one has 2^23 bits. [MS-VHDX] 2.3 */
export function chunkRatioOf(shape: Pick<VhdxShape, 'logicalSectorBytes' | 'blockBytes'>): number {
  return (2 ** 23 * shape.logicalSectorBytes) / shape.blockBytes;
}

/** Entries of the table of a disk without parent: it ends with the last payload block. [MS-VHDX] 2.5 */
export function batEntriesOf(blocks: number, chunkRatio: number): number {
  return blocks + Math.floor((blocks - 1) / chunkRatio);
}

/** Computes the places of our own files. */
export function vhdxLayout(shape: VhdxShape): VhdxLayout {
  const chunkRatio = chunkRatioOf(shape);
  const blocks = Math.ceil(shape.sizeBytes / shape.blockBytes);
  const batEntries = batEntriesOf(blocks, chunkRatio);
  const batBytes = Math.ceil((batEntries * 8) / mib) * mib;
  return { ...shape, chunkRatio, blocks, batEntries, batBytes, firstPayloadAt: places.batAt + batBytes };
}

/** Index of a payload block's entry in the table: sector bitmap entries stand between. */
export function batIndexOf(block: number, chunkRatio: number): number {
  return block + Math.floor(block / chunkRatio);
}
