import { appendFileSync } from 'node:fs';
import { setImmediate as nextTick } from 'node:timers/promises';
import { AppError } from '@ascend/errors';
import type { DiskSink } from '../../sink.ts';
import { openFileSinkModule } from '../fileSinkModule.ts';
import type { OpenModuleSink } from '../sinkModule.ts';

/** What the thread does at a write: `throw` a coded error, an uncaught error (`crash`), the end of the thread, all of its heap, no end. */
type Mischief = 'throw' | 'crash' | 'exit' | 'heap' | 'spin' | 'hang';

/** A raw file that notes its end, and does mischief. */
export interface ScriptedSinkParams {
  readonly finalPath: string;
  readonly sizeBytes: number;
  readonly resume: boolean;
  /** File to which finish, suspend and abort are noted. */
  readonly logPath: string;
  readonly mischief?: Mischief;
  /** The first write that touches this offset does it. */
  readonly atBytes?: number;
  /** But not before something was flushed and told. */
  readonly afterFlush?: boolean;
  readonly ordered?: boolean;
  /** Closing never ends. */
  readonly hangsInClosing?: boolean;
}

function never(): Promise<void> {
  return new Promise(() => undefined);
}

async function act(mischief: Mischief): Promise<void> {
  if (mischief === 'throw') {
    throw new AppError({ code: 'DISK_SPACE_EXHAUSTED', message: 'planted', details: { freeBytes: 7 } });
  }
  if (mischief === 'exit') process.exit(3);
  if (mischief === 'crash') setImmediate(() => JSON.parse('{'));
  if (mischief === 'heap') {
    const hoard: unknown[] = [];
    for (;;) hoard.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  }
  // oxlint-disable-next-line no-unmodified-loop-condition -- it shall never end
  while (mischief === 'spin');
  await never();
}

/** What the thread calls. */
export const openScriptedSink: OpenModuleSink<ScriptedSinkParams> = async (params, io) => {
  const { finalPath, sizeBytes, resume, mischief, atBytes = 0, hangsInClosing = false } = params;
  const opened = await openFileSinkModule({ finalPath, format: 'raw', sizeBytes, resume }, io);
  const close = async (what: 'finish' | 'suspend' | 'abort'): Promise<void> => {
    appendFileSync(params.logPath, `${what}\n`);
    // What opens it again without a source only cleans up.
    if (hangsInClosing && io.source !== null) await never();
    await opened.sink[what]();
  };
  const flushed = Promise.withResolvers<null>();
  if (params.afterFlush !== true) flushed.resolve(null);
  const sink: DiskSink = {
    ...opened.sink,
    flush: async () => {
      await opened.sink.flush();
      // What the copy says about it is on its way after the next round of the event loop.
      void nextTick(null).then(flushed.resolve);
    },
    ordered: params.ordered ?? false,
    resumable: params.ordered !== true,
    write: async (offset, data) => {
      if (mischief !== undefined && offset + data.length > atBytes) {
        await flushed.promise;
        await nextTick();
        await act(mischief);
      }
      await opened.sink.write(offset, data);
    },
    finish: () => close('finish'),
    suspend: () => close('suspend'),
    abort: () => close('abort'),
  };
  return { ...opened, sink };
};
