import { randomUUID } from 'node:crypto';
import { AppError } from '@ascend/errors';

/** What a command of the appliance left. */
export interface FishAnswer {
  readonly stdout: Buffer;
  /** Its error message without the name of the program; null when it succeeded. */
  readonly error: string | null;
}

/** What belongs to a command besides its line. */
interface SendExtra {
  /** What it reads from standard input, a key: it is taken out of error messages. */
  readonly inputLine?: string | undefined;
  /** Called when its turn comes. */
  readonly onStart?: () => void;
}

/** A conversation with a running guestfish, one command at a time. */
export interface FishShell {
  /**
   * Sends a line of `fishLine` and waits for its end.
   *
   * @throws the reason given to `end`
   */
  send(line: string, extra?: SendExtra): Promise<FishAnswer>;
  /** Output of the program, as it comes. */
  takeStdout(chunk: Buffer): void;
  takeStderr(chunk: Buffer): void;
  /** Fails the command that is under way and all later ones. */
  end(reason: unknown): void;
}

/** Most output of one command; file contents do not come this way. */
const maxAnswerBytes = 32 * 1024 * 1024;

interface Pending {
  readonly mark: string;
  readonly secret: string | undefined;
  readonly resolve: (answer: FishAnswer) => void;
  readonly reject: (reason: unknown) => void;
  readonly stdout: Collected;
  readonly stderr: Collected;
}

/** Output so far. The mark is the last that comes, so it is looked for in the tail alone. */
interface Collected {
  readonly chunks: Buffer[];
  bytes: number;
  tail: Buffer;
}

const tailBytes = 256;

function collected(): Collected {
  return { chunks: [], bytes: 0, tail: Buffer.alloc(0) };
}

function add(into: Collected, chunk: Buffer): void {
  into.chunks.push(chunk);
  into.bytes += chunk.length;
  into.tail = Buffer.concat([into.tail, chunk]).subarray(-tailBytes);
}

/** What came before the mark; null: the mark is not there yet. */
function before({ chunks, tail }: Collected, mark: string): Buffer | null {
  if (!tail.includes(mark)) return null;
  const all = Buffer.concat(chunks);
  return all.subarray(0, all.indexOf(mark));
}

function errorOf(stderr: Buffer, secret: string | undefined): string | null {
  const text = stderr
    .toString('utf8')
    .replaceAll(/^(?:\*stdin\*:\d+: )?(?:libguestfs: error: )?/gm, '')
    .trim();
  if (text === '') return null;
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '[secret]');
}

/**
 * Guestfish tells the end of a command in neither stream, so two marks follow each: an `echo` for the output, and a command that
 * does not exist for the errors. The marks hold a random number that never enters the appliance: no guest can print one.
 */
export function createFishShell(write: (text: string) => void): FishShell {
  const session = randomUUID();
  let count = 0;
  let pending: Pending | null = null;
  let over: { readonly reason: unknown } | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const end = (reason: unknown): void => {
    over ??= { reason };
    pending?.reject(over.reason);
    pending = null;
  };
  const settle = (): void => {
    if (pending === null) return;
    const { mark, secret, stdout, stderr, resolve } = pending;
    const output = before(stdout, `${mark}\n`);
    const errors = before(stderr, `${mark}: `);
    if (output === null || errors === null) return;
    pending = null;
    resolve({ stdout: output, error: errorOf(errors, secret) });
  };
  const take = (chunk: Buffer, stream: 'stdout' | 'stderr'): void => {
    if (pending === null) return;
    add(pending[stream], chunk);
    if (pending[stream].bytes > maxAnswerBytes) {
      const message = `read appliance: more than ${maxAnswerBytes} bytes of output`;
      end(new AppError({ code: 'GUEST_FILE_TOO_LARGE', message }));
      return;
    }
    settle();
  };
  const sendNow = async (line: string, { inputLine, onStart }: SendExtra): Promise<FishAnswer> => {
    if (over !== null) throw over.reason;
    onStart?.();
    count += 1;
    const mark = `mark-${session}-${count}`;
    const input = inputLine === undefined ? '' : `${inputLine}\n`;
    return await new Promise<FishAnswer>((resolve, reject) => {
      pending = { mark, secret: inputLine, resolve, reject, stdout: collected(), stderr: collected() };
      // The leading minus lets guestfish go on after an error.
      write(`-${line}\n${input}echo ${mark}\n-${mark}\n`);
    });
  };
  return {
    send: (line, extra = {}) => {
      const answer = turn.then(() => sendNow(line, extra));
      turn = answer.catch(() => undefined);
      return answer;
    },
    takeStdout: (chunk) => take(chunk, 'stdout'),
    takeStderr: (chunk) => take(chunk, 'stderr'),
    end,
  };
}
