import { AppError } from '@ascend/errors';
import { fileFacts } from '../estimate/fileFacts.ts';
import type { EngineWish } from '../qemu/chooseEngine.ts';
import { fileFormats, isFileFormat, type FileFormat } from '../sinks/fileSink.ts';
import type { SourceEngine } from '../source/openSource.ts';

/**
 * Which code reads and writes. `auto`: the fastest that fits, with fall-backs; `own`: own encoders only; `nbd`, `direct`: the same, and how
 * the source is read; `qemu-img`: it reads and writes.
 */
export type ExportEngine = 'auto' | 'own' | 'nbd' | 'direct' | 'qemu-img';

/** All engines that a caller may name. */
export const exportEngines: readonly ExportEngine[] = ['auto', 'own', 'nbd', 'direct', 'qemu-img'];

/** How the source is read for the copy. */
export function readEngineOf(engine: ExportEngine): SourceEngine {
  return engine === 'nbd' || engine === 'direct' ? engine : 'auto';
}

/** Who is asked to write. */
export function writeWishOf(engine: ExportEngine): EngineWish['engine'] {
  return engine === 'auto' || engine === 'qemu-img' ? engine : 'own';
}

/** Every format that a caller may name, whether or not this version can write it; `ova` is an archive of disks, not a disk. */
export const knownFormats: readonly string[] = [
  ...new Set([...Object.keys(fileFacts), ...fileFormats]),
  'ova',
];

/**
 * The kind of file that a format names.
 *
 * @throws {AppError} INPUT_INVALID - no format has this name; DISK_TARGET_UNSUPPORTED - this version has no encoder for it
 */
export function fileFormatOf(name: string): FileFormat {
  if (isFileFormat(name)) return name;
  const known = knownFormats.includes(name);
  throw new AppError({
    code: known ? 'DISK_TARGET_UNSUPPORTED' : 'INPUT_INVALID',
    message: known
      ? `choose format ${name}: this version has no encoder for it`
      : `choose format ${JSON.stringify(name)}: there is no such format`,
    details: { format: name, available: fileFormats },
  });
}

/** @throws {AppError} INPUT_INVALID - no engine has this name */
export function engineOf(name: string): ExportEngine {
  const engine = exportEngines.find((one) => one === name);
  if (engine !== undefined) return engine;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `choose engine ${JSON.stringify(name)}: there is no such engine`,
    details: { engine: name, available: exportEngines },
  });
}
