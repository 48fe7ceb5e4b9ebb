/**
 * Where an encoded image goes as one stream of bytes: a file, an HTTP body, a multipart upload, a member of an archive. Encoders of
 * stream formats write to it and do not know what it is.
 */
export interface ByteOutput {
  /** Appends. One call at a time, in order; the buffer may be reused once the promise is settled, and that is the back-pressure. */
  write(data: Uint8Array): Promise<void>;
  /** Everything is durable at the far side and has its final name afterwards. Idempotent. @throws {AppError} coded */
  finish(): Promise<void>;
  /** Removes what was written, where that is possible. Idempotent; never throws for "not there". */
  abort(): Promise<void>;
}
