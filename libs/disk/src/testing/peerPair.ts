import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Secret } from '@ascend/runtime';
import type { DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { borrowDisk, type BorrowDiskParams, type DiskBorrowing } from '../peer/borrowDisk.ts';
import { lendDisk, type DiskLoan, type LendDiskParams, type OpenSession } from '../peer/lendDisk.ts';
import type { PeerMode, PeerSide } from '../peer/ticket.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { makeImage, qemuImg, withTempFolder, writeImage } from './images.ts';

const mib = 1024 * 1024;

/** A disk to lend. */
export interface LentChain {
  readonly image: DiskImage;
  readonly folder: string;
  /** Empty when nothing runs. */
  readonly workDir: string;
  readonly topPath: string;
}

/**
 * Makes a disk of 24 MiB and 512 bytes for the tests of disk sessions: 4 MiB of random data, 3 MiB that compress, a little more, zeros and
 * holes, over two layers.
 */
export async function makeLentChain(folder: string): Promise<LentChain> {
  const sizeBytes = 24 * mib + 512;
  const raw = path.join(folder, 'content.raw');
  await writeFile(raw, Buffer.concat([randomBytes(5 * mib + 4096), Buffer.alloc(3 * mib, 'abc def ')]));
  const full = path.join(folder, 'full.qcow2');
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, full);
  await qemuImg('resize', '-q', '-f', 'qcow2', full, String(sizeBytes));
  const topPath = path.join(folder, 'inc.qcow2');
  await makeImage({ path: topPath, format: 'qcow2', sizeBytes, backing: 'full.qcow2' });
  await writeImage(topPath, 'qcow2', [
    { offsetBytes: mib + 512, lengthBytes: 65_536, fill: 0x77 },
    { offsetBytes: 2 * mib, lengthBytes: mib, fill: 'zero' },
    { offsetBytes: 12 * mib, lengthBytes: 2 * mib, fill: 0 },
    { offsetBytes: 20 * mib, lengthBytes: mib, fill: 0x99 },
    { offsetBytes: sizeBytes - 512, lengthBytes: 512, fill: 0x55 },
  ]);
  const chain = await openChain({ rootPath: folder, path: topPath, format: 'qcow2' });
  const workDir = path.join(folder, 'work');
  await mkdir(workDir);
  return { image: { chain, overlays: [] }, folder, workDir, topPath };
}

/** `makeLentChain` in a folder that is removed afterwards. */
export async function withLentChain(run: (disk: LentChain) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => run(await makeLentChain(folder)));
}

/** Reads the disk as the copy does: blocks of 1 MiB in order, 16 at a time. */
export async function readWhole(source: DiskSource): Promise<Buffer> {
  const content = Buffer.alloc(source.sizeBytes, 0xee);
  let at = 0;
  const next = async (): Promise<void> => {
    while (at < content.length) {
      const from = at;
      at += mib;
      await source.readInto(from, content.subarray(from, from + mib));
    }
  };
  await Promise.all(Array.from({ length: 16 }, next));
  return content;
}

/** The four ways of a session. */
export const peerWays = [
  { mode: 'nbd', listener: 'reader' },
  { mode: 'nbd', listener: 'writer' },
  { mode: 'https', listener: 'reader' },
  { mode: 'https', listener: 'writer' },
] as const;

/** Both ends of a session in one process. */
export interface PeerPair {
  readonly loan: DiskLoan;
  readonly borrowing: DiskBorrowing;
}

/** What a test changes of one end. */
export interface PeerPairParams {
  readonly mode: PeerMode;
  readonly listener: PeerSide;
  readonly image: DiskImage;
  readonly workDir: string;
  readonly lend?: Partial<LendDiskParams>;
  readonly borrow?: Partial<BorrowDiskParams>;
  readonly open?: Partial<OpenSession>;
  /** Changes the ticket on its way. */
  readonly onTicket?: (ticket: Secret) => Secret | Promise<Secret>;
}

/** Opens a session in either direction; the signals fire never. */
export async function openPeerPair(params: PeerPairParams): Promise<PeerPair> {
  const signal = new AbortController().signal;
  const open: OpenSession = { listen: { host: '127.0.0.1' }, mode: params.mode, ...params.open };
  const lend = { image: params.image, workDir: params.workDir, signal, ...params.lend };
  const borrow = { signal, giveUpAfterMs: 5000, ...params.borrow };
  const passed = async (ticket: Secret | null): Promise<{ ticket: Secret }> => {
    if (ticket === null) throw new Error('the listening side has no ticket');
    return { ticket: (await params.onTicket?.(ticket)) ?? ticket };
  };
  if (params.listener === 'reader') {
    const loan = await lendDisk({ ...lend, at: open });
    const borrowing = await borrowDisk({ ...borrow, at: await passed(loan.ticket) });
    return { loan, borrowing };
  }
  const borrowing = await borrowDisk({ ...borrow, at: open });
  try {
    const loan = await lendDisk({ ...lend, at: await passed(borrowing.ticket) });
    return { loan, borrowing };
  } catch (cause) {
    await borrowing.close();
    throw cause;
  }
}
