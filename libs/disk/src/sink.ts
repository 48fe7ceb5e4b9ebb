/** Where the bytes of one disk go. Every implementation keeps the same rules and passes the same contract suite. */
export interface DiskSink {
  /** Offsets and lengths of `write` and `writeZeros` are multiples of this, except at the end of the disk. */
  readonly alignmentBytes: number;
  /** Can a new sink of the same name go on after a cut? If not, a retry starts at zero. */
  readonly resumable: boolean;
  /**
   * true: `write` and `writeZeros` must be called in growing order of offsets, without overlap (a call need not wait for the one
   * before, so that an encoder can work in parallel). A range that was never named reads as zeros.
   */
  readonly ordered: boolean;
  /**
   * Writes one block. Calls may overlap in time and, unless `ordered`, arrive in any order; the buffer may be reused once the
   * promise is settled. Unless `ordered`, writing the same range twice is allowed and the last one wins.
   */
  write(offsetBytes: number, data: Uint8Array): Promise<void>;
  /** Makes the range read as zeros; costs nothing where the sink is fresh there and sparse. */
  writeZeros(offsetBytes: number, lengthBytes: number): Promise<void>;
  /** Everything written before the call is durable afterwards: only then may a checkpoint name it. */
  flush(): Promise<void>;
  /** Flushes, closes and gives the disk its final name. Idempotent by name. */
  finish(): Promise<void>;
  /** Closes and removes what was written. Never throws for "not there". */
  abort(): Promise<void>;
  /** Closes but keeps what was written, for a later resume. */
  suspend(): Promise<void>;
}

/** What a finished transfer proves and cost. */
export interface CopyResult {
  readonly bytesCopied: number;
  readonly bytesSkipped: number;
  /**
   * The disk digest (hex): SHA-256 over the SHA-256 of each 1 MiB block of the source's virtual disk, the last block short, holes counted
   * as zeros: the same for every format. After a resume the confirmed part was read again for it. null = not computed.
   */
  readonly sha256: string | null;
}
