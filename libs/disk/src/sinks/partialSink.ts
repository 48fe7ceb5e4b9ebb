import type { DiskSink } from '../sink.ts';
import type { DiskSurvey } from '../survey.ts';

/** Where a file sink writes, and what it becomes. */
export interface FileSinkParams {
  readonly partialPath: string;
  readonly finalPath: string;
  readonly sizeBytes: number;
  /** Keep what the partial file holds. */
  readonly resume: boolean;
  readonly workDir: string;
  readonly signal?: AbortSignal;
  /** For layouts that depend on how scattered the data is; without it a format takes its usual layout. */
  readonly survey?: DiskSurvey;
  /** Name that the finished file will have, for formats that record their own; default: that of `finalPath`. */
  readonly publishedName?: string;
}

/** An open file sink; `kept` tells whether it holds what an earlier attempt wrote. */
export interface PartialFileSink {
  readonly sink: DiskSink;
  readonly kept: boolean;
}
