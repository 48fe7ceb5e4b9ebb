import type { S3Client } from '@aws-sdk/client-s3';
import { AppError, isAppError } from '@ascend/errors';
import { answerChars, cancelledError, codeOfStatus, connectionError } from '../network/httpError.ts';
import type { HttpTimeouts } from '../network/httpExchange.ts';
import { http, https } from '../network/nodeHttp.ts';
import { trustOptions, type HttpTls } from '../network/tlsTrust.ts';
import { parseTargetUrl } from './httpOutput.ts';

/** Keys of an account, as a provider hands them out. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they end; the provider is asked again before. */
  readonly expiration?: Date;
}

/** Which object store, and as whom. */
export interface S3Target {
  /** Default: the public endpoint of the region. */
  readonly endpoint?: string;
  readonly region: string;
  /** true: the bucket is a part of the path; what most stores of one's own need. */
  readonly forcePathStyle?: boolean;
  /** Called when keys are needed; what it gives reaches neither errors nor logs. */
  readonly credentials: () => Promise<S3Credentials>;
  readonly tls?: HttpTls;
  readonly timeouts?: HttpTimeouts;
  /** Tries of each request, with waits that grow; default 5. */
  readonly attempts?: number;
  /** false: no CRC-32 in the requests, for stores that do not know it. Default true. */
  readonly checksums?: boolean;
}

async function httpsOptions(target: S3Target, signal: AbortSignal | undefined) {
  const { tls = {}, endpoint } = target;
  if (endpoint === undefined && tls.pinSha256 !== undefined) {
    throw new AppError({
      code: 'DISK_OUTPUT_REJECTED',
      message: 'open object store: a pinned certificate needs an endpoint that it belongs to',
    });
  }
  const url = parseTargetUrl(endpoint ?? 'https://unused');
  return await trustOptions(url, tls, target.timeouts?.connectMs ?? 30_000, signal);
}

/** Over TLS the payload is protected already, and its CRC-32 is checked: hashing it once more for the signature would cost 0.6 CPU s/GB. */
function leavePayloadUnsigned(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { request } = args;
      const isData =
        context.commandName === 'UploadPartCommand' || context.commandName === 'PutObjectCommand';
      if (isData && typeof request === 'object' && request !== null && 'headers' in request)
        Object.assign(Object(request.headers), { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
      return await next(args);
    },
    { step: 'build', name: 'leavePayloadUnsigned', priority: 'low' },
  );
}

/**
 * A client for an object store. The library is loaded at the first call, so that it costs nothing where it is not used.
 *
 * @throws {AppError} DISK_OUTPUT_UNTRUSTED, DISK_OUTPUT_REJECTED, DISK_OUTPUT_UNAVAILABLE
 */
export async function openS3Client(
  target: S3Target,
  connections: number,
  signal?: AbortSignal,
): Promise<S3Client> {
  const trust = await httpsOptions(target, signal);
  const { S3Client } = await import('@aws-sdk/client-s3');
  const { connectMs = 30_000, idleMs = 60_000 } = target.timeouts ?? {};
  const agent = { keepAlive: true, maxSockets: connections };
  const checks = target.checksums === false ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED';
  const client = new S3Client({
    region: target.region,
    ...(target.endpoint === undefined ? {} : { endpoint: target.endpoint }),
    forcePathStyle: target.forcePathStyle ?? false,
    credentials: target.credentials,
    maxAttempts: target.attempts ?? 5,
    requestChecksumCalculation: checks,
    responseChecksumValidation: checks,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: idleMs,
      httpAgent: new http.Agent(agent),
      httpsAgent: new https.Agent({ ...agent, ...trust }),
    },
  });
  if (target.endpoint?.startsWith('http:') !== true) leavePayloadUnsigned(client);
  return client;
}

/** Facts of an error of the library; what else it holds (request, headers) is left behind. */
function factsOf(cause: unknown): { name: string; status: number | null; text: string } {
  const name = cause instanceof Error ? cause.name : 'unknown';
  const text = cause instanceof Error ? cause.message.slice(0, answerChars) : '';
  if (typeof cause !== 'object' || cause === null || !('$metadata' in cause))
    return { name, status: null, text };
  const metadata = cause.$metadata;
  const has = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata;
  const status = has && typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : null;
  return { name, status, text };
}

/** True for the answer that an upload or object is not there. */
export function isNotThere(cause: unknown): boolean {
  const { name, status } = factsOf(cause);
  return name === 'NoSuchUpload' || status === 404;
}

/** The coded error for a failed call of the store. The library's own error is not carried on: it may hold a signed request. */
export function s3Error(operation: string, cause: unknown): AppError {
  if (isAppError(cause)) return cause;
  const { name, status, text } = factsOf(cause);
  if (name === 'AbortError') return cancelledError(operation);
  if (name === 'CredentialsProviderError')
    return new AppError({
      code: 'DISK_OUTPUT_REFUSED',
      message: `${operation}: no credentials were provided`,
    });
  // The library gives a connection that was cut the same name as silence.
  const errno = cause instanceof Error && 'code' in cause ? cause.code : null;
  const isCut = errno === 'ECONNRESET' || errno === 'EPIPE';
  if (name === 'TimeoutError' && !isCut)
    return new AppError({ code: 'DISK_OUTPUT_TIMEOUT', message: `${operation}: no answer in time` });
  if (status === null || status < 300) {
    const found = connectionError(operation, cause);
    return new AppError({ code: found.code, message: found.message, details: found.details });
  }
  return new AppError({
    code:
      name === 'BadDigest' || name === 'XAmzContentChecksumMismatch'
        ? 'DISK_OUTPUT_UNAVAILABLE'
        : codeOfStatus(status),
    message: `${operation}: the store answers ${status} ${name}: ${text}`,
    details: { status, name, answer: text },
  });
}
