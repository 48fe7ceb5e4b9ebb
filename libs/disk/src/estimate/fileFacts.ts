import type { SourceFormat } from '@ascend/domain';
import type { FileFormat } from '../sinks/fileSink.ts';
import type { DiskSurvey } from '../survey.ts';
import { chooseBlockBytes } from '../vhdx/blockSize.ts';
import { vhdSizeBytes } from '../vhd/vhdSize.ts';
import { vhdxLayout } from '../vhdx/vhdxLayout.ts';
import { checkVhdxSize } from '../vhdx/vhdxSink.ts';
import { checkVmdkSize } from '../vmdk/sparseExtent.ts';

/** Bytes that a file of one disk takes on its storage. Equal bounds: exact. */
export interface WriteBound {
  /** Tables and headers alone: all data turned out to be zeros. */
  readonly atLeastBytes: number;
  /** No data is zeros and none can be compressed. */
  readonly atMostBytes: number;
  /** With the compression seen on mixed data; the upper bound for formats that do not compress. */
  readonly likelyBytes: number;
}

/** What is known about a kind of disk file without opening one. */
export interface FileFacts {
  /** Of the file name, with its dot. */
  readonly extension: string;
  /** How the finished file is opened for reading. */
  readonly readAs: SourceFormat;
  readonly bound: (survey: DiskSurvey) => WriteBound;
  /** Where the format has a limit. @throws {AppError} DISK_FORMAT_LIMIT */
  readonly checkSize?: (sizeBytes: number) => void;
  /** Where qemu-img writes more than our own encoder. */
  readonly qemuBound?: (survey: DiskSurvey) => WriteBound;
}

const kib = 1024;
const mib = 1024 * kib;
const sectorBytes = 512;
// 0.98 GB of mixed data became 0.69 GB as streamOptimized VMDK and 0.68 GB as QCOW2 with zstd (measured, qemu-img 7.2).
const compressedShare = 0.7;

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

function plain(tables: number, data: number): WriteBound {
  return { atLeastBytes: tables, atMostBytes: tables + data, likelyBytes: tables + data };
}

function compressed(tables: number, data: number): WriteBound {
  return { ...plain(tables, data), likelyBytes: tables + Math.ceil(data * compressedShare) };
}

function touched(survey: DiskSurvey, sizeMib: number): number {
  return survey.touchedBlocks[sizeMib] ?? Math.ceil(survey.sizeBytes / (sizeMib * mib));
}

/** Header, L1, L2 tables (one for each 512 MiB with data) and refcounts (one block for each 2 GiB of file) with clusters of 64 KiB. */
function qcow2Tables(survey: DiskSurvey): number {
  const cluster = 64 * kib;
  const regions = Math.ceil(survey.sizeBytes / (512 * mib));
  const l2 = Math.min(regions, touched(survey, 32));
  const clusters = 1 + Math.ceil((regions * 8) / cluster) + l2 + Math.ceil(survey.dataBytes / cluster);
  const refcountBlocks = Math.ceil(clusters / 32_768) + 1;
  const refcountTable = Math.ceil((refcountBlocks * 8) / cluster) + 1;
  return (1 + Math.ceil((regions * 8) / cluster) + l2 + refcountBlocks + refcountTable) * cluster;
}

/** Header, descriptor, and both copies of grain directory and tables (512 entries for 32 MiB), which stand there from the start. */
function vmdkTables(survey: DiskSurvey): number {
  const tables = Math.ceil(survey.sizeBytes / (32 * mib));
  const copy = roundUp(tables * 4, sectorBytes) + tables * 2048;
  return roundUp(64 * sectorBytes + 2 * copy, 64 * kib);
}

/** Header and descriptor, a marker and a table for each 32 MiB with data, directory, footer, end marker. */
function vmdkStreamTables(survey: DiskSurvey): number {
  const directory = roundUp(Math.ceil(survey.sizeBytes / (32 * mib)) * 4, sectorBytes);
  return 128 * sectorBytes + touched(survey, 32) * (2048 + sectorBytes) + directory + 5 * sectorBytes;
}

/** Footer and its copy, header, BAT; then a page with the sector bitmap before each block of 2 MiB. */
function vhdBound(survey: DiskSurvey): WriteBound {
  const bat = Math.ceil(survey.sizeBytes / (2 * mib)) * 4;
  const page = 8 * sectorBytes;
  return plain(roundUp(3 * sectorBytes + bat, page) + sectorBytes, touched(survey, 2) * (2 * mib + page));
}

/** Fixed structures and BAT, then whole blocks of the size that the writer chooses by the same survey. */
function vhdxBound(survey: DiskSurvey): WriteBound {
  const { sizeBytes } = survey;
  const blockBytes = chooseBlockBytes(sizeBytes, survey);
  const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
  const { firstPayloadAt } = vhdxLayout({ ...sectors, sizeBytes, blockBytes });
  return plain(firstPayloadAt, touched(survey, blockBytes / mib) * blockBytes);
}

/** As qemu-img writes it: it chooses its blocks, of up to 64 MiB, by the size of the disk. */
function qemuVhdxBound(survey: DiskSurvey): WriteBound {
  const own = vhdxBound(survey);
  const blocks = touched(survey, 32) * 64 * mib;
  return { ...own, atMostBytes: own.atMostBytes + Math.min(blocks, roundUp(survey.sizeBytes, 64 * mib)) };
}

/** Kinds of files whose sizes are known here, whether or not this version can write them. */
export const fileFacts = {
  raw: { extension: '.raw', readAs: 'raw', bound: (survey) => plain(0, survey.dataBytes) },
  qcow2: {
    extension: '.qcow2',
    readAs: 'qcow2',
    bound: (survey) => plain(qcow2Tables(survey), survey.dataBytes),
  },
  'qcow2-zstd': {
    extension: '.qcow2',
    readAs: 'qcow2',
    bound: (survey) => compressed(qcow2Tables(survey), survey.dataBytes),
  },
  vmdk: {
    extension: '.vmdk',
    readAs: 'vmdk',
    bound: (survey) => plain(vmdkTables(survey), survey.dataBytes),
    checkSize: checkVmdkSize,
  },
  'vmdk-stream': {
    extension: '.vmdk',
    readAs: 'vmdk',
    checkSize: checkVmdkSize,
    // A stored grain: 12 bytes of marker, 11 of zlib, rounded to sectors.
    bound: (survey) =>
      compressed(
        vmdkStreamTables(survey),
        Math.ceil(survey.dataBytes / (64 * kib)) * (64 * kib + sectorBytes),
      ),
  },
  vhd: { extension: '.vhd', readAs: 'vhd', bound: vhdBound, checkSize: vhdSizeBytes },
  // Sparse where the file system can; the safe bound is the whole size.
  'vhd-fixed': {
    extension: '.vhd',
    readAs: 'vhd',
    checkSize: vhdSizeBytes,
    bound: (survey) => ({
      atLeastBytes: sectorBytes,
      atMostBytes: roundUp(survey.sizeBytes, mib) + sectorBytes,
      likelyBytes: survey.dataBytes + sectorBytes,
    }),
  },
  vhdx: {
    extension: '.vhdx',
    readAs: 'vhdx',
    bound: vhdxBound,
    qemuBound: qemuVhdxBound,
    checkSize: (sizeBytes) => checkVhdxSize(sizeBytes, sectorBytes),
  },
} as const satisfies Record<FileFormat, FileFacts> & Readonly<Record<string, FileFacts>>;
