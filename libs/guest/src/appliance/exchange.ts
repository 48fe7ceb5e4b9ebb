import { constants } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { insidePaths, runsAsRoot, unprivilegedUid } from '../apply/hostSandbox.ts';

/** A file through which bytes pass between this process and guestfish. Its name is ours, never the guest's. */
interface ExchangeFile {
  /** Where guestfish sees it. */
  readonly insidePath: string;
  /** What guestfish left in it. @throws {AppError} GUEST_FILE_TOO_LARGE - more than `maxBytes` */
  read(maxBytes: number): Promise<Buffer>;
  remove(): Promise<void>;
}

/** The folder of a session in which such files lie. */
export interface Exchange {
  /** With `bytes` a file that guestfish reads, without one that it will make. */
  file(bytes?: Uint8Array): Promise<ExchangeFile>;
}

/** The sandbox could have put anything under the name, so no link is followed and nothing but a plain file is read. */
async function readPlain(file: string, maxBytes: number): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const facts = await handle.stat();
    if (!facts.isFile() || facts.size > maxBytes) {
      throw new AppError({
        code: 'GUEST_FILE_TOO_LARGE',
        message: `read appliance: ${facts.size} bytes, at most ${maxBytes} are read`,
        details: { sizeBytes: facts.size, maxBytes },
      });
    }
    const bytes = Buffer.alloc(facts.size);
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  } finally {
    await handle.close();
  }
}

async function writeNew(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    if (runsAsRoot()) await handle.chown(unprivilegedUid, unprivilegedUid);
  } finally {
    await handle.close();
  }
}

/** Makes the exchange folder of a session. */
export async function createExchange(sessionDir: string): Promise<Exchange> {
  const folder = path.join(sessionDir, 'exchange');
  await mkdir(folder, { mode: 0o700 });
  let count = 0;
  return {
    file: async (bytes) => {
      count += 1;
      const name = `file-${count}`;
      const outside = path.join(folder, name);
      if (bytes !== undefined) await writeNew(outside, bytes);
      return {
        insidePath: `${insidePaths.volume}/exchange/${name}`,
        read: (maxBytes) => readPlain(outside, maxBytes),
        remove: () => rm(outside, { force: true }),
      };
    },
  };
}
