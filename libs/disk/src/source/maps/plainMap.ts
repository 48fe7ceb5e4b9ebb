import type { ImageFile } from '../../formats/imageFile.ts';
import { dataRun, plainRun, type LayerMap } from './layerMap.ts';

/** The map of data that lies in a file as it is: raw, fixed VHD, flat VMDK extents. Where the file has holes it says nothing about. */
export function createFlatMap(file: ImageFile, sizeBytes: number, startBytes = 0): LayerMap {
  const fileBytes = file.sizeBytes - startBytes;
  // The block layer reads zeros behind an odd end of a file; that last sector is left to it.
  const oddEnd = fileBytes % 512 !== 0 && sizeBytes === Math.ceil(fileBytes / 512) * 512;
  const wholeBytes = oddEnd ? sizeBytes - 512 : sizeBytes;
  return {
    sizeBytes,
    runAt: (at) =>
      at < wholeBytes
        ? dataRun(file, at, wholeBytes, startBytes + at, [])
        : plainRun('served', at, sizeBytes),
  };
}

/** Layers one behind the other as one disk: the extents of a split disk. Each must have a size above 0. */
export function joinMaps(parts: readonly LayerMap[]): LayerMap {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const starts: number[] = [];
  let sizeBytes = 0;
  for (const part of parts) {
    starts.push(sizeBytes);
    sizeBytes += part.sizeBytes;
  }
  const find = (offset: number): number => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  return {
    sizeBytes,
    runAt: (at, limit) => {
      const index = find(at);
      const start = starts[index] ?? 0;
      const part = parts[index];
      if (part === undefined) return plainRun('below', at, sizeBytes);
      const run = part.runAt(at - start, Math.min(limit - start, part.sizeBytes));
      const moved = (found: Awaited<typeof run>) => ({
        ...found,
        startBytes: found.startBytes + start,
        endBytes: found.endBytes + start,
      });
      return run instanceof Promise ? run.then(moved) : moved(run);
    },
  };
}
