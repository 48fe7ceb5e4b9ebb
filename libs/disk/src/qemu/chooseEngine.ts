import { isAppError } from '@ascend/errors';
import { convertFormats, type ConvertFormat } from './convertFormats.ts';

/** What writes a disk file: our own encoder, or qemu-img. */
export type WriteEngine = 'own' | 'qemu-img';

/** One attempt: who writes what, and what the operator is told about it. */
export interface EngineChoice {
  readonly engine: WriteEngine;
  readonly format: string;
  /** Why it is not what was asked for or usual; null when it is. */
  readonly remark: string | null;
}

/** What is asked for. */
export interface EngineWish {
  readonly format: string;
  /** `auto`: our own encoder, with fall-backs. The others are meant. */
  readonly engine: 'auto' | WriteEngine;
  /** Formats that our own encoders write. */
  readonly ownFormats: readonly string[];
}

function isConvertFormat(format: string): format is ConvertFormat {
  return convertFormats.some((known) => known === format);
}

/** The first attempt. Pure. */
export function chooseEngine(wish: EngineWish): EngineChoice {
  const { format, engine } = wish;
  if (engine === 'qemu-img') {
    return { engine, format, remark: 'qemu-img was asked for: not resumable, no digest' };
  }
  if (engine === 'own' || wish.ownFormats.includes(format) || !isConvertFormat(format)) {
    return { engine: 'own', format, remark: null };
  }
  return { engine: 'qemu-img', format, remark: `there is no own encoder for ${format}: qemu-img writes it` };
}

/** A refusal that another engine may not share. The limit of a format holds for every engine. */
function isRefusal(cause: unknown): cause is Error {
  return isAppError(cause) && cause.category === 'unsupported' && cause.code !== 'DISK_FORMAT_LIMIT';
}

/**
 * The next attempt after one was refused; null: the failure stands. Only `auto` falls back, only when an engine says that it does not support
 * something, and never from a limit of the format itself. Raw is the last resort; Danger: its choice has another format than the wish. Pure.
 */
export function fallBack(wish: EngineWish, failed: EngineChoice, cause: unknown): EngineChoice | null {
  if (wish.engine !== 'auto' || failed.format === 'raw' || !isRefusal(cause)) return null;
  if (failed.engine === 'own' && isConvertFormat(failed.format)) {
    const remark = `the own encoder refused (${cause.message}): qemu-img writes ${failed.format}`;
    return { engine: 'qemu-img', format: failed.format, remark };
  }
  const remark = `${failed.engine} refused ${failed.format} (${cause.message}): the disk is written as raw`;
  return { engine: 'own', format: 'raw', remark };
}
