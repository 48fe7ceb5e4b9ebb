import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';

interface StoredPart {
  readonly body: Buffer;
  readonly tag: string;
}

/** Objects and uploads of a small strict store with the S3 calls of an upload; signatures are not checked. */
export interface ObjectStore {
  readonly handler: RequestListener;
  readonly objects: Map<string, Buffer>;
  readonly uploads: Map<string, Map<number, StoredPart>>;
  /** Calls in order, e.g. `UploadPart 2`. */
  readonly calls: string[];
  /** Answers the next matching calls with this status instead. */
  failing: { readonly call: string; readonly status: number; times: number } | null;
  /** Most parts on their way at once. */
  readonly atOnce: () => number;
  /** Parts are answered so many together: with fewer on their way an upload would never end. */
  partsTogether: number;
}

const minPartBytes = 5 * 1024 * 1024;

function nameOf(request: IncomingMessage, url: URL): string {
  const method = request.method ?? '';
  const part = url.searchParams.get('partNumber');
  const isUpload = url.searchParams.has('uploadId');
  if (method === 'POST')
    return url.searchParams.has('uploads') ? 'Create' : isUpload ? 'Complete' : 'unknown';
  if (method === 'PUT') return part === null ? 'Put' : `UploadPart ${part}`;
  if (method === 'DELETE' && isUpload) return 'Abort';
  if (method === 'GET' && isUpload) return 'ListParts';
  return method === 'HEAD' ? 'Head' : 'unknown';
}

function crcOf(body: Buffer): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body), 0);
  return bytes.toString('base64');
}

function isIntact(body: Buffer, request: IncomingMessage): boolean {
  const sum = request.headers['x-amz-checksum-crc32'];
  return sum === undefined || sum === crcOf(body);
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused</Message></Error>`);
}

/** The object of a complete call, or what is wrong with it: parts in order, known, with their tags, and large enough. */
function assemble(parts: Map<number, StoredPart>, text: string): Buffer | string {
  const named = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, inner = '']) => ({
    number: Number(/<PartNumber>(\d+)</.exec(inner)?.[1]),
    tag: /<ETag>(?:&quot;|")?([0-9a-f]+)/.exec(inner)?.[1],
    crc: /<ChecksumCRC32>(.*?)</.exec(inner)?.[1],
  }));
  const bodies: Buffer[] = [];
  for (const [index, { number, tag, crc }] of named.entries()) {
    const part = parts.get(number);
    if (number !== index + 1) return 'InvalidPartOrder';
    if (part === undefined || part.tag !== tag || (crc !== undefined && crc !== crcOf(part.body)))
      return 'InvalidPart';
    if (part.body.length < minPartBytes && index < named.length - 1) return 'EntityTooSmall';
    bodies.push(part.body);
  }
  return named.length === 0 ? 'MalformedXML' : Buffer.concat(bodies);
}

/** Makes an empty store. */
export function createObjectStore(): ObjectStore {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Map<number, StoredPart>>();
  const calls: string[] = [];
  const held: (() => void)[] = [];
  let [now, most, ids] = [0, 0, 0];
  const store: ObjectStore = {
    objects,
    uploads,
    calls,
    failing: null,
    atOnce: () => most,
    partsTogether: 1,
    handler: (request, response) => {
      const parts: Buffer[] = [];
      const url = new URL(request.url ?? '', 'http://store');
      const isPart = url.searchParams.has('partNumber');
      if (isPart) now += 1;
      most = Math.max(most, now);
      response.on('close', () => {
        if (isPart) now -= 1;
      });
      request.on('data', (part: Buffer) => parts.push(part));
      const reply = (): void => answer(request, response, url, Buffer.concat(parts));
      request.on('end', () => {
        if (!isPart) {
          reply();
          return;
        }
        held.push(reply);
        if (held.length < store.partsTogether) return;
        for (const one of held.splice(0)) one();
      });
    },
  };
  const onObject = (name: string, path: string, body: Buffer, response: ServerResponse): void => {
    if (name === 'Create') {
      ids += 1;
      uploads.set(`id${ids}`, new Map());
      const id = `<UploadId>id${ids}</UploadId>`;
      response.end(`<InitiateMultipartUploadResult>${id}</InitiateMultipartUploadResult>`);
    } else if (name === 'Put') {
      objects.set(path, body);
      response.writeHead(200, { etag: '"whole"' }).end();
    } else {
      const object = objects.get(path);
      response.writeHead(object === undefined ? 404 : 200, { 'content-length': object?.length ?? 0 }).end();
    }
  };
  const onUpload = (name: string, path: string, id: string, body: Buffer, response: ServerResponse): void => {
    const upload = uploads.get(id);
    if (upload === undefined) refuse(response, 404, 'NoSuchUpload');
    else if (name.startsWith('UploadPart ')) {
      const tag = createHash('md5').update(body).digest('hex');
      upload.set(Number(name.slice('UploadPart '.length)), { body, tag });
      response.writeHead(200, { etag: `"${tag}"` }).end();
    } else if (name === 'Complete') {
      const object = assemble(upload, body.toString('utf8'));
      if (typeof object === 'string') refuse(response, 400, object);
      else {
        objects.set(path, object);
        uploads.delete(id);
        response.end('<CompleteMultipartUploadResult><ETag>"done"</ETag></CompleteMultipartUploadResult>');
      }
    } else if (name === 'Abort') {
      uploads.delete(id);
      response.writeHead(204).end();
    } else refuse(response, 405, 'MethodNotAllowed');
  };
  const answer = (request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void => {
    const name = nameOf(request, url);
    calls.push(name);
    const { failing } = store;
    const path = decodeURIComponent(url.pathname);
    if (failing !== null && failing.times > 0 && name.startsWith(failing.call)) {
      failing.times -= 1;
      refuse(response, failing.status, 'InternalError');
    } else if (!isIntact(body, request)) refuse(response, 400, 'BadDigest');
    else if (['Create', 'Put', 'Head'].includes(name)) onObject(name, path, body, response);
    else onUpload(name, path, url.searchParams.get('uploadId') ?? '', body, response);
  };
  return store;
}
