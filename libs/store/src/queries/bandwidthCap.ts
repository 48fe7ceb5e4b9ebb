/** A bandwidth cap that an operator set. */
export interface StoredBandwidth {
  /** null = no cap. */
  readonly bytesPerSecond: number | null;
  /** ms since the epoch; a later change has a higher one, whatever the clocks say. */
  readonly revision: number;
}

/** The columns of a cap as a value; null = nobody set one. Pure. */
export function storedBandwidth(row: {
  readonly bandwidthBytesPerSecond: number | null;
  readonly bandwidthRevision: number;
}): StoredBandwidth | null {
  const { bandwidthBytesPerSecond: bytesPerSecond, bandwidthRevision: revision } = row;
  return revision === 0 ? null : { bytesPerSecond, revision };
}
