/** What the map of a disk tells before a byte is read: enough to size buffers, choose a layout and estimate. */
export interface DiskSurvey {
  readonly sizeBytes: number;
  /** Bytes that must be read: data extents, rounded to the unit of the copy. */
  readonly dataBytes: number;
  /** How many aligned blocks hold data, by block size in MiB (1, 2, 4, 8, 16, 32). */
  readonly touchedBlocks: Readonly<Record<number, number>>;
}
