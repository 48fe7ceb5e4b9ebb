import { AppError } from '@ascend/errors';
import { s3Limits } from './s3Parts.ts';
import type { S3Upload } from './s3Upload.ts';

function tooManyParts(label: string, partBytes: number): AppError {
  return new AppError({
    code: 'DISK_OUTPUT_REJECTED',
    message: `write ${label}: it needs more than ${s3Limits.maxParts} parts of ${partBytes} bytes`,
    details: { maxParts: s3Limits.maxParts, partBytes },
  });
}

/** Fills part buffers and keeps a bounded number of them on their way. */
export class S3PartQueue {
  readonly #upload: S3Upload;
  readonly #partBytes: number;
  readonly #free: Buffer[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #unmade: number;
  #current: Buffer | null = null;
  #used = 0;
  #number = 0;
  #failure: { readonly cause: unknown } | null = null;

  constructor(upload: S3Upload, partBytes: number, buffers: number) {
    this.#upload = upload;
    this.#partBytes = partBytes;
    this.#unmade = buffers;
  }

  /** What was filled and not sent; the whole object when nothing was sent. */
  get rest(): Uint8Array {
    return this.#current?.subarray(0, this.#used) ?? new Uint8Array(0);
  }

  async add(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length;) {
      this.assertWhole();
      // A full part goes out only when more follows: an object of one part needs one request.
      if (this.#used === this.#partBytes) await this.send();
      this.#current ??= await this.#buffer();
      const count = Math.min(this.#partBytes - this.#used, data.length - at);
      this.#current.set(data.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
  }

  async send(): Promise<void> {
    const buffer = this.#current;
    if (buffer === null || this.#used === 0) return;
    await this.#prepare();
    const body = buffer.subarray(0, this.#used);
    this.#current = null;
    this.#used = 0;
    const work: Promise<void> = this.#upload
      .part(this.#number, body)
      .catch((cause: unknown) => this.fail(cause))
      .finally(() => {
        this.#inFlight.delete(work);
        this.#free.push(buffer);
      });
    this.#inFlight.add(work);
  }

  /** After this nothing may be added and nobody may call the object complete. */
  fail(cause: unknown): void {
    this.#failure ??= { cause };
  }

  async #prepare(): Promise<void> {
    try {
      if (!this.#upload.isBegun) await this.#upload.begin();
      this.#number += 1;
      if (this.#number > s3Limits.maxParts) throw tooManyParts(this.#upload.label, this.#partBytes);
    } catch (cause) {
      this.fail(cause);
      throw cause;
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  assertWhole(): void {
    if (this.#failure !== null) throw this.#failure.cause;
  }

  async #buffer(): Promise<Buffer> {
    for (;;) {
      this.assertWhole();
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#unmade > 0) {
        this.#unmade -= 1;
        return Buffer.allocUnsafe(this.#partBytes);
      }
      await Promise.race(this.#inFlight);
    }
  }
}
