import type { SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { DiskChain } from './chain/chain.ts';

/** A restore point's disk with zero or more overlays of ours on top (top last). */
export interface DiskImage {
  readonly chain: DiskChain;
  /** Absolute paths of QCOW2 files of ours, lowest first; a backing name recorded in them is never followed. */
  readonly overlays: readonly string[];
}

/** A block device description of QEMU (the argument of `blockdev-add`). */
export type Blockdev = Readonly<Record<string, unknown>>;

/** QEMU's driver of each file format. */
export const qemuDrivers: Readonly<Record<Exclude<SourceFormat, 'ebs-snapshot'>, string>> = {
  qcow2: 'qcow2',
  raw: 'raw',
  vhd: 'vpc',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
};

/** Formats whose driver follows a recorded backing name unless told not to. */
const followsBacking = new Set<SourceFormat>(['qcow2', 'vmdk']);

function describe(
  filePath: string,
  format: SourceFormat,
  backing: Blockdev | null,
  writable: boolean,
): Blockdev {
  if (format === 'ebs-snapshot') {
    throw new AppError({
      code: 'DISK_FORMAT_UNSUPPORTED',
      message: `describe ${filePath}: a snapshot reference is no image file`,
    });
  }
  return {
    driver: qemuDrivers[format],
    'read-only': !writable,
    ...(writable ? { discard: 'unmap' } : {}),
    file: { driver: 'file', filename: filePath, 'read-only': !writable },
    ...(followsBacking.has(format) ? { backing } : {}),
  };
}

/**
 * The nested description of a disk: every layer by explicit driver and path, so that neither a stored backing name is
 * followed nor a format guessed. Only the top overlay can be writable; the layers of the backup never are.
 *
 * @throws {AppError} INTERNAL_BUG - a writable description of a disk without overlay
 */
export function imageBlockdev(image: DiskImage, params: { readonly readOnly?: boolean } = {}): Blockdev {
  const writable = params.readOnly === false;
  if (writable && image.overlays.length === 0) {
    throw new AppError({
      code: 'INTERNAL_BUG',
      message: 'describe disk: a backup cannot be opened for writing',
    });
  }
  let below: Blockdev | null = null;
  for (const layer of image.chain.layers.toReversed()) {
    below = describe(layer.absPath, layer.format, below, false);
  }
  for (const [index, overlay] of image.overlays.entries()) {
    below = describe(overlay, 'qcow2', below, writable && index === image.overlays.length - 1);
  }
  if (below === null)
    throw new AppError({ code: 'INTERNAL_BUG', message: 'describe disk: the chain has no layer' });
  return below;
}

/** The description of one image file of our own making that stands alone: no backing is followed. */
export function fileBlockdev(
  filePath: string,
  format: 'raw' | 'qcow2',
  params: { readonly readOnly?: boolean } = {},
): Blockdev {
  return describe(filePath, format, null, params.readOnly === false);
}

/** The description as a file name argument of the QEMU tools. */
export function blockdevArgument(blockdev: Blockdev): string {
  return `json:${JSON.stringify(blockdev)}`;
}
