import { crc32 } from 'node:zlib';
import type * as sdk from '@aws-sdk/client-s3';
import { AppError } from '@ascend/errors';
import { isNotThere, s3Error, type S3Target } from './s3Client.ts';

const removeTurns = 5;

/** Which object an upload makes. */
export interface S3UploadParams {
  readonly target: S3Target;
  readonly bucket: string;
  readonly key: string;
  readonly signal?: AbortSignal;
}

interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string;
  readonly ChecksumCRC32?: string;
}

function checksumOf(body: Uint8Array): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body), 0);
  return bytes.toString('base64');
}

function checksum(target: S3Target, body: Uint8Array): { ChecksumCRC32?: string } {
  return target.checksums === false ? {} : { ChecksumCRC32: checksumOf(body) };
}

/** The calls of one upload. */
export class S3Upload {
  readonly #params: S3UploadParams;
  readonly #library: typeof sdk;
  readonly #client: sdk.S3Client;
  readonly #parts: UploadedPart[] = [];
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly label: string;
  #uploadId: string | null = null;

  constructor(params: S3UploadParams, library: typeof sdk, client: sdk.S3Client) {
    this.#params = params;
    this.#library = library;
    this.#client = client;
    const { signal } = params;
    this.#signal = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    this.label = `s3://${params.bucket}/${params.key}`;
  }

  get isBegun(): boolean {
    return this.#uploadId !== null;
  }

  async begin(): Promise<void> {
    const command = new this.#library.CreateMultipartUploadCommand({
      ...this.#object(),
      ...(this.#params.target.checksums === false ? {} : { ChecksumAlgorithm: 'CRC32' }),
    });
    const { UploadId } = await this.#call('begin', () => this.#client.send(command, this.#options()));
    if (UploadId === undefined) throw this.#odd('it gives no id for the upload');
    this.#uploadId = UploadId;
  }

  async part(number: number, body: Uint8Array): Promise<void> {
    const sum = checksum(this.#params.target, body);
    const command = new this.#library.UploadPartCommand({
      ...this.#upload(),
      PartNumber: number,
      Body: body,
      ContentLength: body.length,
      ...sum,
    });
    const { ETag } = await this.#call(`write part ${number} of`, () =>
      this.#client.send(command, this.#options()),
    );
    if (ETag === undefined) throw this.#odd(`it gives no tag for part ${number}`);
    this.#parts.push({ PartNumber: number, ETag, ...sum });
  }

  /** The whole object in one request. */
  async put(body: Uint8Array): Promise<void> {
    const command = new this.#library.PutObjectCommand({
      ...this.#object(),
      Body: body,
      ContentLength: body.length,
      ...checksum(this.#params.target, body),
    });
    await this.#call('write', () => this.#client.send(command, this.#options()));
  }

  async complete(): Promise<void> {
    const Parts = this.#parts.toSorted((left, right) => left.PartNumber - right.PartNumber);
    const command = new this.#library.CompleteMultipartUploadCommand({
      ...this.#upload(),
      MultipartUpload: { Parts },
    });
    await this.#call('complete', () => this.#client.send(command, this.#options()));
    this.#uploadId = null;
  }

  async check(lengthBytes: number): Promise<void> {
    const command = new this.#library.HeadObjectCommand(this.#object());
    const { ContentLength } = await this.#call('check', () => this.#client.send(command, this.#options()));
    if (ContentLength === lengthBytes) return;
    throw new AppError({
      code: 'DISK_OUTPUT_MISMATCH',
      message: `check ${this.label}: it has ${ContentLength} bytes, ${lengthBytes} were sent`,
      details: { object: this.label, sentBytes: lengthBytes, foundBytes: ContentLength ?? null },
    });
  }

  /** Cuts what is on its way. */
  stop(): void {
    this.#stop.abort();
  }

  /**
   * A part that was on its way may arrive after the removal and would stay, and be paid for: removed until nothing is left. Source:
   * AbortMultipartUpload in the S3 API reference, read 2026-07.
   */
  async remove(): Promise<void> {
    for (let turn = 0; this.#uploadId !== null; turn += 1) {
      if (turn === removeTurns) throw this.#odd(`the upload ${this.#uploadId} cannot be removed`);
      // Without the signal: a cancelled transfer is exactly what has to be cleaned up.
      const isGone = await this.#isGone(
        this.#client.send(new this.#library.AbortMultipartUploadCommand(this.#upload())),
      );
      const isEmpty =
        isGone || (await this.#isGone(this.#client.send(new this.#library.ListPartsCommand(this.#upload()))));
      if (isEmpty) this.#uploadId = null;
    }
  }

  async #isGone(answer: Promise<unknown>): Promise<boolean> {
    try {
      await answer;
      return false;
    } catch (cause) {
      if (isNotThere(cause)) return true;
      throw s3Error(`remove the upload ${this.#uploadId} of ${this.label}`, cause);
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #object(): { Bucket: string; Key: string } {
    return { Bucket: this.#params.bucket, Key: this.#params.key };
  }

  #upload(): { Bucket: string; Key: string; UploadId: string } {
    return { ...this.#object(), UploadId: this.#uploadId ?? '' };
  }

  #options(): { abortSignal: AbortSignal } {
    return { abortSignal: this.#signal };
  }

  async #call<T>(operation: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      throw s3Error(`${operation} ${this.label}`, cause);
    }
  }

  #odd(problem: string): AppError {
    return new AppError({ code: 'DISK_OUTPUT_UNAVAILABLE', message: `write ${this.label}: ${problem}` });
  }
}
