import type { L2Table } from './tables.ts';

/** How data becomes clusters. Ranges are checked by the sink. */
export interface ClusterWriter {
  readonly alignmentBytes: number;
  /** Writes the data, then names it in the tables. */
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  /** Zeroes a part of one cluster. */
  zeroPart(table: L2Table, offsetBytes: number, lengthBytes: number): Promise<void>;
  /** Frees what is not the file. Idempotent. */
  close(): void;
}
