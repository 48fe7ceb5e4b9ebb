import { createStreamSink, openHttpOutput, type OpenModuleSink, type SinkModule } from '@ascend/disk';

interface Params {
  readonly url: string;
  readonly sizeBytes: number;
}

/** The extent stream over HTTP as a sink that a copy thread opens itself. */
export function streamSinkModule(params: Params): SinkModule {
  return { moduleUrl: import.meta.url, exportName: 'openStreamSink', params: { ...params } };
}

/** What the thread calls. */
export const openStreamSink: OpenModuleSink<Params> = ({ url, sizeBytes }, io) => {
  const output = openHttpOutput({ url, method: 'POST', lengthBytes: null, signal: io.signal });
  const sink = createStreamSink({ output, sizeBytes, mode: 'extents', checksum: 'heads' });
  return Promise.resolve({ sink, alreadyFinished: false, kept: false });
};
