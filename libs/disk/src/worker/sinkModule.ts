import { AppError } from '@ascend/errors';
import type { DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';

/**
 * A sink that another thread can open: which module to import there, which of its exports to call, and with what. JSON only. The
 * export is an `OpenModuleSink`. Danger: the address must come from our own code, never from outside: it is executed.
 */
export interface SinkModule {
  /** `file:` address of the module; see `bundledModule`. */
  readonly moduleUrl: string;
  readonly exportName: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What a sink gets where it is opened. */
export interface SinkModuleIo {
  /** Private folder of this one transfer for sockets and the like; removed when it ends, however it ends. */
  readonly workDir: string;
  /** Fires when the transfer shall stop. */
  readonly signal: AbortSignal;
  /** The disk that will be copied, for layouts that depend on its map. null when the sink is only opened to be aborted. */
  readonly source: Pick<DiskSource, 'sizeBytes' | 'extents'> | null;
}

/** A sink, and what of an earlier attempt it stands on (see `OpenedFileSink`). */
export interface OpenedModuleSink {
  readonly sink: DiskSink;
  readonly alreadyFinished: boolean;
  readonly kept: boolean;
}

/** The form of the export that a `SinkModule` names. */
export type OpenModuleSink<P> = (params: P, io: SinkModuleIo) => Promise<OpenedModuleSink>;

/**
 * Imports the module and opens its sink.
 *
 * @throws {AppError} INTERNAL_BUG - no such module or export; whatever the export throws
 */
export async function openModuleSink(module: SinkModule, io: SinkModuleIo): Promise<OpenedModuleSink> {
  const { moduleUrl, exportName } = module;
  const bug = (problem: string, cause?: unknown): AppError =>
    new AppError({ code: 'INTERNAL_BUG', message: `open sink ${exportName}: ${problem}`, cause });
  if (!moduleUrl.startsWith('file:')) throw bug('its module is no file');
  const loaded: unknown = await import(moduleUrl).catch((cause: unknown) => {
    throw bug('its module cannot be loaded', cause);
  });
  const open: unknown =
    typeof loaded === 'object' && loaded !== null ? Reflect.get(loaded, exportName) : null;
  if (typeof open !== 'function') throw bug('its module has no such function');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- module and parameters were put together by one author, who named this export
  return await (open as OpenModuleSink<SinkModule['params']>)(module.params, io);
}
