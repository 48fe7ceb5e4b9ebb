import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { AppError, hasCode } from '@ascend/errors';
import { changeFile } from '../fileErrors.ts';
import { isFinishedQcow2 } from '../qcow2/finishedImage.ts';
import { openQcow2FileSink, openQcow2ZstdFileSink } from '../qcow2/qcow2FileSink.ts';
import type { DiskSink } from '../sink.ts';
import type { DiskSurvey } from '../survey.ts';
import { isDynamicVhd, openDynamicVhdSink } from '../vhd/dynamicSink.ts';
import { isFixedVhd, openFixedVhdSink } from '../vhd/fixedSink.ts';
import { isVhdx, openVhdxSink } from '../vhdx/vhdxSink.ts';
import type { FileSinkParams, PartialFileSink } from './partialSink.ts';
import { openRawFileSink } from './rawFileSink.ts';
import { isOwnVmdk } from '../vmdk/ownVmdk.ts';
import { openVmdkFileSink } from '../vmdk/sparseFileSink.ts';
import { openVmdkStreamFileSink } from '../vmdk/streamFileSink.ts';

/** One kind of disk file: how it is opened, and how a finished one is recognised. */
interface FileKind {
  readonly open: (params: FileSinkParams) => Promise<PartialFileSink>;
  /** Is the file a complete disk of this kind and size that stands alone? Reads only. */
  readonly isDisk: (filePath: string, sizeBytes: number) => Promise<boolean>;
}

/** Kinds of disk files that can be written. */
export type FileFormat =
  'raw' | 'qcow2' | 'qcow2-zstd' | 'vmdk' | 'vmdk-stream' | 'vhd' | 'vhd-fixed' | 'vhdx';

const fileKinds: Readonly<Record<FileFormat, FileKind>> = {
  raw: {
    open: openRawFileSink,
    isDisk: async (filePath, sizeBytes) => {
      const facts = await stat(filePath);
      return facts.isFile() && facts.size === sizeBytes;
    },
  },
  vmdk: {
    open: openVmdkFileSink,
    isDisk: (filePath, sizeBytes) => isOwnVmdk(filePath, sizeBytes, 'monolithicSparse'),
  },
  'vmdk-stream': {
    open: openVmdkStreamFileSink,
    isDisk: (filePath, sizeBytes) => isOwnVmdk(filePath, sizeBytes, 'streamOptimized'),
  },
  vhd: { open: openDynamicVhdSink, isDisk: isDynamicVhd },
  'vhd-fixed': { open: openFixedVhdSink, isDisk: isFixedVhd },
  vhdx: { open: openVhdxSink, isDisk: isVhdx },
  qcow2: {
    open: openQcow2FileSink,
    isDisk: (filePath, sizeBytes) => isFinishedQcow2(filePath, sizeBytes, 'none'),
  },
  'qcow2-zstd': {
    open: openQcow2ZstdFileSink,
    isDisk: (filePath, sizeBytes) => isFinishedQcow2(filePath, sizeBytes, 'zstd'),
  },
};

/** True for a kind of disk file that can be written here. */
export function isFileFormat(name: string): name is FileFormat {
  return Object.hasOwn(fileKinds, name);
}

/** Every kind of disk file that can be written here. */
export const fileFormats: readonly FileFormat[] = Object.keys(fileKinds).filter(isFileFormat);

/** Which file to write. */
export interface OpenFileSinkParams {
  /** Written as `<finalPath>.partial` and renamed by `finish`; its folder is made when missing. */
  readonly finalPath: string;
  readonly format: FileFormat;
  readonly sizeBytes: number;
  /** true: keep what an earlier attempt left in the partial file. */
  readonly resume: boolean;
  readonly workDir: string;
  readonly signal?: AbortSignal;
  /** For layouts that depend on how scattered the data is. */
  readonly survey?: DiskSurvey;
  /** Name that the finished file will have, for formats that record their own; default: that of `finalPath`. */
  readonly publishedName?: string;
}

/** A file sink, and what of an earlier attempt it stands on. */
export interface OpenedFileSink {
  readonly sink: DiskSink;
  /** The final file is there with the right format and size: the sink does nothing. */
  readonly alreadyFinished: boolean;
  /**
   * What an earlier attempt wrote is still there. Danger: when false a copy must start at 0, whatever was confirmed before, since the
   * partial file was missing or unusable and has been made anew.
   */
  readonly kept: boolean;
}

const nothing = async (): Promise<void> => {
  await Promise.resolve();
};

/** A sink for a disk that is already there, or for bytes that are only counted and hashed. */
export function createNullSink(): DiskSink {
  return {
    alignmentBytes: 512,
    resumable: true,
    ordered: false,
    write: nothing,
    writeZeros: nothing,
    flush: nothing,
    finish: nothing,
    abort: nothing,
    suspend: nothing,
  };
}

async function isFinished(params: OpenFileSinkParams): Promise<boolean> {
  const facts = await stat(params.finalPath).catch(() => null);
  if (facts === null) return false;
  if (await fileKinds[params.format].isDisk(params.finalPath, params.sizeBytes)) return true;
  throw new AppError({
    code: 'DISK_TARGET_EXISTS',
    message: `open target ${params.finalPath}: a file of that name is there and is no ${params.format} disk of ${params.sizeBytes} bytes`,
    details: { file: params.finalPath, sizeBytes: params.sizeBytes, format: params.format },
  });
}

/**
 * Opens a disk file to write. Deterministic by name: a finished file is adopted, a partial one continued when asked to.
 * Nothing ever stands under the final name but a complete, flushed disk.
 *
 * @throws {AppError} DISK_TARGET_EXISTS, DISK_RANGE_INVALID - a size of 0 or no multiple of 512; DISK_FORMAT_LIMIT - larger than the
 * format takes; DISK_IO_FAILED, DISK_SPACE_EXHAUSTED, PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openFileSink(params: OpenFileSinkParams): Promise<OpenedFileSink> {
  const { sizeBytes } = params;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0) {
    throw new AppError({
      code: 'DISK_RANGE_INVALID',
      message: `open target ${params.finalPath}: ${sizeBytes} is no size of a disk (a multiple of 512 bytes)`,
      details: { file: params.finalPath, sizeBytes },
    });
  }
  if (await isFinished(params)) return { sink: createNullSink(), alreadyFinished: true, kept: true };
  const folder = path.dirname(params.finalPath);
  await changeFile('make folder', folder, () => mkdir(folder, { recursive: true }));
  const sinkParams: FileSinkParams = { ...params, partialPath: `${params.finalPath}.partial` };
  try {
    return { ...(await fileKinds[params.format].open(sinkParams)), alreadyFinished: false };
  } catch (cause) {
    // Its first tables did not fit: there is no sink yet that could be aborted. On a resume it may hold what was confirmed.
    const begun = hasCode(cause, 'DISK_SPACE_EXHAUSTED') || hasCode(cause, 'DISK_IO_FAILED');
    if (begun && !params.resume) await rm(sinkParams.partialPath, { force: true }).catch(() => undefined);
    throw cause;
  }
}
