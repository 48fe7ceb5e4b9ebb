import { open, stat } from 'node:fs/promises';
import { fillHoles, writeFully } from '../blocks/fileAccess.ts';
import { changeFile } from '../fileErrors.ts';
import { publishFile } from '../overlay.ts';
import type { DiskSink } from '../sink.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { openRawFileSink } from '../sinks/rawFileSink.ts';
import { checkVhd } from './checkVhd.ts';
import { buildVhdFooter, footerBytes, newVhdFooter, parseVhdFooter } from './vhdFooter.ts';
import { vhdSizeBytes } from './vhdSize.ts';

/** How to write a fixed VHD. */
export interface FixedVhdOptions {
  /**
   * Default true: what was never written stays a hole, as in a raw file, so that an export needs the space of the data only. A copy
   * for Windows must lose the holes, which any plain copy over a network does. false: the space is reserved when the file is finished.
   */
  readonly sparse?: boolean;
}

/** A crash between footer and rename leaves a complete file under the partial name: only its data is wanted. */
async function dropFooter(partialPath: string, sizeBytes: number): Promise<void> {
  const facts = await stat(partialPath).catch(() => null);
  if (facts?.isFile() !== true || facts.size !== sizeBytes + footerBytes) return;
  await changeFile('open', partialPath, async () => {
    const handle = await open(partialPath, 'r+');
    try {
      const bytes = Buffer.alloc(footerBytes);
      await handle.read(bytes, 0, footerBytes, sizeBytes);
      const footer = parseVhdFooter(bytes);
      if (typeof footer !== 'string' && footer.sizeBytes === sizeBytes) await handle.truncate(sizeBytes);
    } finally {
      await handle.close();
    }
  });
}

/** Gives the written data its exact length and its footer, durably. */
async function close(params: FileSinkParams, sparse: boolean): Promise<void> {
  const { partialPath, sizeBytes } = params;
  const footer = buildVhdFooter(newVhdFooter('fixed', sizeBytes));
  await changeFile('finish', partialPath, async () => {
    const handle = await open(partialPath, 'r+');
    try {
      await handle.truncate(sizeBytes);
      if (!sparse) await fillHoles(partialPath, sizeBytes, params.signal);
      await writeFully({ handle, path: partialPath }, sizeBytes, footer);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** True when the file is a complete fixed VHD of this size. */
export async function isFixedVhd(filePath: string, sizeBytes: number): Promise<boolean> {
  const report = await checkVhd(filePath).catch(() => null);
  return report?.problems.length === 0 && report.blockBytes === null && report.virtualSizeBytes === sizeBytes;
}

/**
 * A fixed VHD: the raw data and a footer. The size is exact (no rounding to a geometry); for a target that wants whole MiB the size is
 * asked of `vhdSizeBytes` first. While partial it is a raw file without footer, which nobody takes for a VHD.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT, DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openFixedVhdSink(
  params: FileSinkParams,
  options: FixedVhdOptions = {},
): Promise<PartialFileSink> {
  vhdSizeBytes(params.sizeBytes);
  if (params.resume) await dropFooter(params.partialPath, params.sizeBytes);
  const raw = await openRawFileSink(params);
  let isFinished = false;
  const sink: DiskSink = {
    ...raw.sink,
    finish: async () => {
      if (isFinished) return;
      await raw.sink.suspend();
      await close(params, options.sparse ?? true);
      await publishFile(params.partialPath, params.finalPath);
      isFinished = true;
    },
  };
  return { sink, kept: raw.kept };
}
