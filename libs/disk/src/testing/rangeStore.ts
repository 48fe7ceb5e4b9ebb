import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** Objects of a strict server that takes ranges: it refuses every request that is not exactly as agreed. */
export interface RangeStore {
  readonly handler: RequestListener;
  /** Published objects by path. */
  readonly published: Map<string, Buffer>;
  /** Objects that are being written. */
  readonly open: Map<string, Buffer>;
  /** Requests by method. */
  readonly counts: Map<string, number>;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) if (part instanceof Buffer) parts.push(part);
  return Buffer.concat(parts);
}

const rangePattern = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+)$/;

function put(objects: Map<string, Buffer>, path: string, header: string, body: Buffer): number {
  const match = rangePattern.exec(header);
  if (match === null) return 400;
  const size = Number(match[3]);
  if (match[1] === undefined) {
    objects.set(path, Buffer.alloc(size));
    return body.length === 0 ? 201 : 400;
  }
  // What an older object held, or nobody ever wrote, is no zeros here.
  const object = objects.get(path) ?? Buffer.alloc(size, 0x5a);
  objects.set(path, object);
  const [first, last] = [Number(match[1]), Number(match[2])];
  if (size !== object.length || last >= size || body.length !== last - first + 1) return 416;
  body.copy(object, first);
  return 204;
}

/** A store for ranges: `PUT` with Content-Range, `bytes *\/SIZE` makes an object of zeros, `POST …?publish` publishes. */
export function createRangeStore(): RangeStore {
  const published = new Map<string, Buffer>();
  const open = new Map<string, Buffer>();
  const counts = new Map<string, number>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, search } = new URL(request.url ?? '', 'http://peer');
    const method = request.method ?? '';
    counts.set(method, (counts.get(method) ?? 0) + 1);
    const body = await bodyOf(request);
    const object = open.get(pathname);
    if (method === 'PUT') {
      response.writeHead(put(open, pathname, request.headers['content-range'] ?? '', body)).end();
    } else if (method === 'HEAD') {
      response.writeHead(object === undefined ? 404 : 200, { 'content-length': object?.length ?? 0 }).end();
    } else if (method === 'POST' && search === '?publish' && object !== undefined) {
      published.set(pathname, object);
      response.writeHead(200).end('published');
    } else if (method === 'DELETE') {
      response.writeHead(open.delete(pathname) ? 204 : 404).end();
    } else response.writeHead(405).end();
  };
  return {
    published,
    open,
    counts,
    handler: (request, response) => {
      void answer(request, response).catch(() => response.destroy());
    },
  };
}
