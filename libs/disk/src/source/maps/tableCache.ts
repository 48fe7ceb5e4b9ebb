import type { ImageFile } from '../../formats/imageFile.ts';
import { mapError } from './layerMap.ts';

/** Tables are read in pages of the file; a multiple of every entry size, so that no entry lies on two pages. */
const tablePageBytes = 64 * 1024;
/** For tables of tables, of which a disk needs little: those of a long chain then stay in the cache. */
export const directoryPageBytes = 4 * 1024;
const maxBytes = 4 * 1024 * 1024;
const maxSparePages = 8;
// A number per page, which costs less than a text: offsets are below 2^53, pages at least 4 KiB.
const maxPagesOfFile = 2 ** 41;

/** A page of a file; short only at the end of the file. */
export interface TablePage {
  /** Where the page starts in the file. */
  readonly offsetBytes: number;
  readonly bytes: Buffer;
  /** The same bytes in pieces of 4, in the order of this machine: for telling empty entries from others. */
  readonly words: Uint32Array;
  /** Whether the cache still holds it. Danger: soon after it does not, its memory serves another page. */
  held: boolean;
}

/** The tables of one file. */
export interface TableFile {
  /**
   * The page that holds an entry of a table; a promise only when it must be read. To be used at once: see `TablePage.held`.
   *
   * @throws {AppError} (also by the promise) DISK_IMAGE_TRUNCATED - the entry lies behind the end of the file; DISK_FILE_UNREADABLE
   */
  page(entryBytes: number): TablePage | Promise<TablePage>;
  /** Starts to read a page that will be wanted soon. Whether that fails shows when it is wanted. */
  warm(entryBytes: number): void;
}

/** Pages of tables of all files of a disk: at most 4 MiB, least recently used out first, and the last one of each file. */
export interface TableCache {
  /** @param pageBytes - power of two; default 64 KiB */
  open(file: ImageFile, pageBytes?: number): TableFile;
}

/**
 * Memory of pages that were dropped, for the next ones: a walk over a large disk reads thousands of pages, and what waits for the garbage
 * collector would count as the disk's. Handed out a turn of the event loop after the drop, when whoever was given the page is done with it.
 */
class SparePages {
  readonly #free: Buffer[] = [];

  take(lengthBytes: number): Buffer {
    return (
      (lengthBytes === tablePageBytes ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(lengthBytes)
    );
  }

  give(page: TablePage): void {
    page.held = false;
    if (page.bytes.length !== tablePageBytes) return;
    setImmediate(() => {
      if (this.#free.length < maxSparePages) this.#free.push(page.bytes);
    });
  }
}

interface Slot {
  page: TablePage | Promise<TablePage>;
  readonly lengthBytes: number;
}

/** Least recently used out first. */
class PageStore {
  readonly #slots = new Map<number, Slot>();
  readonly #spare = new SparePages();
  #heldBytes = 0;

  get(key: number, file: ImageFile, offset: number, pageBytes: number): TablePage | Promise<TablePage> {
    const known = this.#slots.get(key);
    if (known !== undefined) {
      this.#slots.delete(key);
      this.#slots.set(key, known);
      return known.page;
    }
    const lengthBytes = Math.min(pageBytes, file.sizeBytes - offset);
    for (const oldest of this.#slots.keys()) {
      if (this.#heldBytes + lengthBytes <= maxBytes) break;
      this.#drop(oldest);
    }
    const slot: Slot = { page: this.#load(key, file, offset, lengthBytes), lengthBytes };
    this.#slots.set(key, slot);
    this.#heldBytes += lengthBytes;
    return slot.page;
  }

  #drop(key: number): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#heldBytes -= slot.lengthBytes;
    this.#slots.delete(key);
    if (!(slot.page instanceof Promise)) this.#spare.give(slot.page);
  }

  async #load(key: number, file: ImageFile, offsetBytes: number, length: number): Promise<TablePage> {
    const bytes = this.#spare.take(length);
    try {
      await file.readInto(offsetBytes, bytes);
    } catch (cause) {
      this.#drop(key);
      throw cause;
    }
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, length >> 2);
    const page: TablePage = { offsetBytes, bytes, words, held: true };
    const slot = this.#slots.get(key);
    if (slot !== undefined) slot.page = page;
    return page;
  }
}

/** Makes an empty cache. */
export function createTableCache(): TableCache {
  const pages = new PageStore();
  let files = 0;
  return {
    open: (file, pageBytes = tablePageBytes) => {
      const fileKey = files * maxPagesOfFile;
      files += 1;
      let last: TablePage | null = null;
      return {
        page: (entryBytes) => {
          const offset = entryBytes - (entryBytes % pageBytes);
          if (last?.offsetBytes === offset && last.held) return last;
          if (entryBytes >= file.sizeBytes) {
            const problem = `a table entry at ${entryBytes} is wanted, the file ends at ${file.sizeBytes}`;
            throw mapError(file, problem, 'DISK_IMAGE_TRUNCATED');
          }
          const page = pages.get(fileKey + offset / pageBytes, file, offset, pageBytes);
          if (!(page instanceof Promise)) last = page;
          return page;
        },
        warm: (entryBytes) => {
          if (entryBytes >= file.sizeBytes) return;
          const offset = entryBytes - (entryBytes % pageBytes);
          const page = pages.get(fileKey + offset / pageBytes, file, offset, pageBytes);
          if (page instanceof Promise) page.catch(() => undefined);
        },
      };
    },
  };
}

/** Goes on with a page at once when it is there, else when it has been read. */
export function withPage<T>(
  page: TablePage | Promise<TablePage>,
  run: (page: TablePage) => T | Promise<T>,
): T | Promise<T> {
  return page instanceof Promise ? page.then(run) : run(page);
}
