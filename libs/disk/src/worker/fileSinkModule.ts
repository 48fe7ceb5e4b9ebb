import { rm } from 'node:fs/promises';
import { changeFile } from '../fileErrors.ts';
import { openFileSink, type FileFormat } from '../sinks/fileSink.ts';
import { bundledModule } from './bundledModule.ts';
import { surveyDisk, type DiskSurvey } from '../survey.ts';
import type { OpenModuleSink, SinkModule, SinkModuleIo } from './sinkModule.ts';

// The smallest piece that a copy reads.
const unitBytes = 64 * 1024;

/** Which disk file a thread shall write. */
export interface FileSinkModuleParams {
  readonly finalPath: string;
  readonly format: FileFormat;
  readonly sizeBytes: number;
  /** true: keep what an earlier attempt left in the partial file. */
  readonly resume: boolean;
  /** As for `openFileSink`; without it the map of the source is walked where the layout of the format depends on it. */
  readonly survey?: DiskSurvey;
  /** As for `openFileSink`. */
  readonly publishedName?: string;
  /** Files that belong to the disk and go with it when it is aborted, after the disk itself. */
  readonly removeOnAbort?: readonly string[];
}

/** Names a disk file as the sink of a copy in a thread of its own; opens nothing. */
export function fileSinkModule(params: FileSinkModuleParams): SinkModule {
  return {
    moduleUrl: bundledModule(new URL('./fileSinkModule.ts', import.meta.url), import.meta.url),
    exportName: 'openFileSinkModule',
    params: { ...params },
  };
}

async function surveyFor(format: FileFormat, source: SinkModuleIo['source']): Promise<DiskSurvey | null> {
  return format === 'vhdx' && source !== null ? await surveyDisk(source, unitBytes) : null;
}

/** What the thread calls: `openFileSink` with the parameters given above. @throws {AppError} as `openFileSink` */
export const openFileSinkModule: OpenModuleSink<FileSinkModuleParams> = async (params, io) => {
  const { removeOnAbort = [], ...file } = params;
  const { workDir, signal } = io;
  const survey = params.survey ?? (await surveyFor(params.format, io.source));
  const opened = await openFileSink({ ...file, ...(survey === null ? {} : { survey }), workDir, signal });
  const abort = async (): Promise<void> => {
    await opened.sink.abort();
    for (const path of removeOnAbort) await changeFile('remove', path, () => rm(path, { force: true }));
  };
  return { ...opened, sink: { ...opened.sink, abort } };
};
