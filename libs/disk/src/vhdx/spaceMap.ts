const unitBytes = 1024 * 1024;
// A bitmap of 16 MiB. No VHDX is larger: 64 TiB and its tables.
const maxFileBytes = 128 * 1024 ** 4;

/** Which MiB of a file are taken, to find structures that overlap. One bit each. */
export interface SpaceMap {
  /** Takes a range of whole MiB; tells what is wrong with it, null = nothing. */
  take(offsetBytes: number, lengthBytes: number): 'outside the file' | 'overlaps another structure' | null;
}

/** An empty map of a file of this size, or null for a size that no VHDX has. */
export function createSpaceMap(fileBytes: number): SpaceMap | null {
  if (fileBytes > maxFileBytes) return null;
  const bits = new Uint8Array(Math.ceil(fileBytes / unitBytes / 8));
  return {
    take: (offset, length) => {
      if (offset + length > fileBytes) return 'outside the file';
      const end = Math.ceil((offset + length) / unitBytes);
      let isFree = true;
      for (let unit = Math.floor(offset / unitBytes); unit < end; unit += 1) {
        const bit = 1 << (unit & 7);
        const byte = bits[unit >> 3] ?? 0;
        if ((byte & bit) !== 0) isFree = false;
        bits[unit >> 3] = byte | bit;
      }
      return isFree ? null : 'overlaps another structure';
    },
  };
}
