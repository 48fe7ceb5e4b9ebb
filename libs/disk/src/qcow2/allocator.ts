import { clusterBytes, roundToClusters } from './layout.ts';

// Compressed clusters share zones, so that they lie close together although plain clusters and tables are allocated in between. A zone grows
// with the file: what is left of the last one stays a hole.
const minZoneClusters = 4;
const maxZoneClusters = 64;
const zonePart = 32;
// What is written after a flush shares no page with what was made durable by it.
const pageBytes = 4096;

/** Hands out space at the end of a file; never the same bytes twice, and always bytes that were never written. */
export interface Allocator {
  /** Takes whole clusters in one piece. */
  clusters(count: number): number;
  /** Takes `lengthBytes` at any byte offset, for compressed data. */
  packed(lengthBytes: number): number;
  /** Ends the page that packed data was written to last. */
  sealPage(): void;
  /** Gives back what no packed data was written to, if it lies at the end; returns where the file ends. */
  trim(): number;
}

/** Starts at a cluster boundary behind everything that is in the file. */
export function createAllocator(startOffset: number): Allocator {
  let end = startOffset;
  const zone = { at: startOffset, end: startOffset };
  return {
    clusters: (count) => {
      const offset = end;
      end += count * clusterBytes;
      return offset;
    },
    packed: (length) => {
      if (zone.at + length > zone.end) {
        if (zone.end !== end) zone.at = end;
        const wanted = Math.floor(end / zonePart / clusterBytes);
        end += Math.min(maxZoneClusters, Math.max(minZoneClusters, wanted)) * clusterBytes;
        zone.end = end;
      }
      const offset = zone.at;
      zone.at += length;
      return offset;
    },
    sealPage: () => {
      zone.at = Math.min(zone.end, Math.ceil(zone.at / pageBytes) * pageBytes);
    },
    trim: () => {
      if (zone.end === end) {
        end = Math.min(end, roundToClusters(zone.at));
        zone.end = end;
      }
      return end;
    },
  };
}
