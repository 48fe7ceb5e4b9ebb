import { createServer, type Server, type Socket } from 'node:net';

/** An HTTP server that takes bodies and throws them away as cheaply as Node can: not it is what is measured. */
export interface NullServer {
  readonly url: string;
  /** Body bytes taken so far. */
  received(): number;
  close(): Promise<void>;
}

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
const readBytes = 256 * 1024;

type Skip = { readonly kind: 'head' } | { kind: 'body'; left: number } | { kind: 'chunk'; left: number };

/** Follows one connection: heads, bodies of known length, chunks. Only what stands between bodies is looked at. */
class BodySkipper {
  #state: Skip = { kind: 'head' };
  #pending = '';
  #limit: number | null;
  #credit = 0;
  received = 0;
  readonly #socket: Socket;

  constructor(socket: Socket, bytesPerSecond: number | null) {
    this.#socket = socket;
    this.#limit = bytesPerSecond;
  }

  /** Slows the connection down to the rate: the bytes are left in the kernel. */
  #pace(bytes: number): void {
    if (this.#limit === null) return;
    this.#credit += bytes;
    if (this.#credit < this.#limit / 20) return;
    const pauseMs = (this.#credit / this.#limit) * 1000;
    this.#credit = 0;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), pauseMs);
  }

  take(bytes: number, buffer: Uint8Array): void {
    this.#pace(bytes);
    for (let at = 0; at < bytes;) {
      if (this.#state.kind === 'head') at = this.#takeText(buffer, at, bytes);
      else {
        const skip = Math.min(this.#state.left, bytes - at);
        this.#state.left -= skip;
        this.received += skip;
        at += skip;
        if (this.#state.left === 0) this.#state = this.#afterBody();
      }
    }
  }

  #afterBody(): Skip {
    if (this.#state.kind === 'body') this.#socket.write(answer);
    return { kind: 'head' };
  }

  /** Collects text up to the end of a line or head, and decides what follows. */
  #takeText(buffer: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to) {
      this.#pending += String.fromCharCode(buffer[at] ?? 0);
      at += 1;
      if (this.#pending.endsWith('\r\n\r\n')) {
        const head = this.#pending;
        this.#pending = '';
        this.#startBody(head);
        return at;
      }
      const chunk = /^(?:\r\n)?([0-9a-f]+)\r\n$/i.exec(this.#pending);
      if (chunk !== null) {
        const left = Number.parseInt(chunk[1] ?? '0', 16);
        // The last chunk is empty and followed by an empty line, which the head's pattern finds.
        if (left > 0) {
          this.#pending = '';
          this.#state = { kind: 'chunk', left };
          return at;
        }
      }
    }
    return at;
  }

  #startBody(head: string): void {
    if (/^(?:\r\n)?0\r\n\r\n$/.test(head)) {
      this.#socket.write(answer);
      return;
    }
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    if (length > 0) this.#state = { kind: 'body', left: length };
    else if (!/^transfer-encoding: chunked/im.test(head)) this.#socket.write(answer);
  }
}

/** Listens on a free port of the loopback. `bytesPerSecond`: how fast one connection is read; null = as fast as it comes. */
export async function startNullServer(bytesPerSecond: number | null = null): Promise<NullServer> {
  const skippers = new Set<BodySkipper>();
  const server: Server = createServer({ highWaterMark: readBytes });
  server.on('connection', (socket) => {
    const skipper = new BodySkipper(socket, bytesPerSecond);
    skippers.add(skipper);
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => skipper.take(data.length, data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/`,
    received: () => [...skippers].reduce((sum, skipper) => sum + skipper.received, 0),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
