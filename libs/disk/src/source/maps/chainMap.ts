import type { ImageFile } from '../../formats/imageFile.ts';
import type { LayerMap, LayerRun } from './layerMap.ts';

/** A run of the disk as seen from the top of a chain. `hole`: no layer has anything there. */
export interface ChainRun {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly kind: 'data' | 'served' | 'zero' | 'hole';
  /** For `data`: the file, and where the run starts in it. */
  readonly file: ImageFile | null;
  readonly fileOffsetBytes: number;
  /** Which layer decided, 0 = top; the number of layers: none had anything. */
  readonly depth: number;
}

const batchRuns = 256;
// How far a layer is asked behind the part that is walked: the next part then finds the answers here instead of in the tables.
const lookaheadBytes = 64 * 1024 * 1024;

/** The run of each layer that was met last. Walks may share it, also at the same time: a run that does not fit is asked for again. */
export type KnownRuns = (LayerRun | undefined)[];

/**
 * Walks a part of the disk through all layers: at each offset the first layer that says something decides. Holds one run for each
 * layer, whatever the size of the disk. Layers are top first; behind the end of a layer it and all below read as zeros.
 */
export class ChainWalk {
  readonly #layers: readonly LayerMap[];
  readonly #runs: KnownRuns;
  readonly #endBytes: number;
  #at: number;

  constructor(layers: readonly LayerMap[], fromBytes: number, toBytes: number, known: KnownRuns = []) {
    this.#layers = layers;
    this.#runs = known;
    this.#at = fromBytes;
    this.#endBytes = toBytes;
  }

  /**
   * The next runs in order, without gap; at most 256, none at the end. Neighbours that are one run in the file are one. A promise only
   * when a table must be read.
   *
   * @throws {AppError} (also by the promise) DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED, DISK_FILE_UNREADABLE
   */
  next(): readonly ChainRun[] | Promise<readonly ChainRun[]> {
    return this.#collect([]);
  }

  #collect(batch: ChainRun[]): readonly ChainRun[] | Promise<readonly ChainRun[]> {
    while (this.#at < this.#endBytes) {
      const found = this.#runHere();
      if (found instanceof Promise) {
        return found.then((run) => (this.#append(batch, run) ? this.#collect(batch) : batch));
      }
      if (!this.#append(batch, found)) break;
    }
    return batch;
  }

  /** False: the batch is full, and the run begins the next one. */
  #append(batch: ChainRun[], run: ChainRun): boolean {
    const last = batch.at(-1);
    if (last !== undefined && continues(last, run)) {
      batch[batch.length - 1] = { ...last, lengthBytes: last.lengthBytes + run.lengthBytes };
    } else {
      // One more place is kept for a run that continues the last one.
      if (batch.length === batchRuns) return false;
      batch.push(run);
    }
    this.#at = run.offsetBytes + run.lengthBytes;
    return true;
  }

  #runHere(depth = 0, endBytes = this.#endBytes, loaded?: LayerRun): ChainRun | Promise<ChainRun> {
    const at = this.#at;
    let end = endBytes;
    for (let index = depth; index < this.#layers.length; index += 1) {
      const layer = this.#layers[index];
      if (layer === undefined) break;
      if (at >= layer.sizeBytes) return plain(at, end, 'zero', index);
      end = Math.min(end, layer.sizeBytes);
      // A run that was just read counts even when another walk has put its own in the shared place meanwhile.
      let run = index === depth ? (loaded ?? this.#runs[index]) : this.#runs[index];
      if (run === undefined || at < run.startBytes || at >= run.endBytes) {
        const found = layer.runAt(at, Math.min(layer.sizeBytes, Math.max(end, at + lookaheadBytes)));
        if (found instanceof Promise) {
          return found.then((loaded) => this.#runHere(index, end, loaded));
        }
        run = found;
      }
      this.#runs[index] = run;
      end = Math.min(end, run.endBytes);
      if (run.kind === 'data') {
        const { file, fileOffsetBytes, startBytes } = run;
        const place = { file, fileOffsetBytes: fileOffsetBytes + at - startBytes };
        return { offsetBytes: at, lengthBytes: end - at, kind: 'data', depth: index, ...place };
      }
      if (run.kind !== 'below') return plain(at, end, run.kind, index);
    }
    return plain(at, end, 'hole', this.#layers.length);
  }
}

function plain(at: number, end: number, kind: 'served' | 'zero' | 'hole', depth: number): ChainRun {
  return { offsetBytes: at, lengthBytes: end - at, kind, file: null, fileOffsetBytes: 0, depth };
}

function continues(last: ChainRun, run: ChainRun): boolean {
  if (last.kind !== run.kind || last.depth !== run.depth) return false;
  return (
    run.kind !== 'data' ||
    (last.file === run.file && last.fileOffsetBytes + last.lengthBytes === run.fileOffsetBytes)
  );
}
