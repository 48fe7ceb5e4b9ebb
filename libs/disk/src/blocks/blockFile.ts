import { createDataWriter } from '../dataWriter.ts';
import { changeFile } from '../fileErrors.ts';
import { checkSinkRange, createWrittenCells } from '../sinks/writtenCells.ts';
import { createSlotTable, type SlotTable } from './slotTable.ts';
import { writeFully, writeZeroBytes, type WritableFile } from './fileAccess.ts';

/** Where the payload of a block lies in the file: in slots of one size, one after the other. */
export interface SlotLayout {
  readonly blockBytes: number;
  /** First byte of slot 0. */
  readonly firstSlotAt: number;
  /** Distance of two slots. */
  readonly slotBytes: number;
  /** First byte of the payload within its slot. */
  readonly payloadInSlot: number;
}

/** File offset of the payload in a slot. */
export function payloadAt(layout: SlotLayout, slot: number): number {
  return layout.firstSlotAt + slot * layout.slotBytes + layout.payloadInSlot;
}

/** How to write the blocks of one image. */
export interface BlockFileParams {
  readonly file: WritableFile;
  readonly sizeBytes: number;
  readonly alignmentBytes: number;
  readonly layout: SlotLayout;
  /** Per block: number of its slot plus 1, 0 = none. What an earlier attempt left is filled in; the array is taken over. */
  readonly slots: Uint32Array;
  /** Bytes before the payload of every slot (a sector bitmap); its length is `payloadInSlot`. */
  readonly slotHead: Uint8Array | null;
  /** Writes the table entries of these blocks, ascending; the payload is durable already. */
  readonly writeTable: (named: Uint32Array, blocks: readonly number[]) => Promise<void>;
}

/** The payload blocks of an image whose file grows by a block when that is first touched. */
export interface BlockFile {
  readonly write: (offsetBytes: number, data: Uint8Array) => Promise<void>;
  readonly writeZeros: (offsetBytes: number, lengthBytes: number) => Promise<void>;
  /** Makes durable what was written before the call, and only then lets the table name it. Calls run one after the other. */
  readonly flush: () => Promise<void>;
  /** End of the last slot in use. */
  readonly endBytes: () => number;
  /** Waits for writes under way; before the file is closed. Idempotent; never throws. */
  readonly close: () => Promise<void>;
}

interface Piece {
  readonly block: number;
  readonly inBlock: number;
  readonly offset: number;
  readonly length: number;
}

function piecesOf(offset: number, length: number, blockBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = offset; at < offset + length;) {
    const block = Math.floor(at / blockBytes);
    const stop = Math.min((block + 1) * blockBytes, offset + length);
    pieces.push({ block, inBlock: at - block * blockBytes, offset: at - offset, length: stop - at });
    at = stop;
  }
  return pieces;
}

/** Makes fresh blocks durable and then named by the table. */
async function flushBlocks(params: BlockFileParams, table: SlotTable): Promise<void> {
  const { file, layout, slotHead } = params;
  const blocks = table.takeFresh();
  try {
    if (slotHead !== null) {
      for (const block of blocks) {
        await writeFully(file, payloadAt(layout, table.slotOf(block)) - layout.payloadInSlot, slotHead);
      }
    }
    await changeFile('flush', file.path, () => file.handle.datasync());
    if (blocks.length === 0) return;
    await params.writeTable(table.name(blocks), blocks);
    await changeFile('flush', file.path, () => file.handle.datasync());
  } catch (cause) {
    // They are not named for sure: the next flush does it again.
    table.giveBack(blocks);
    throw cause;
  }
}

/**
 * Opens the blocks of an image. Memory: 8 bytes for each block and one bit for each MiB of the disk. A new slot must read as zeros:
 * the file must end with the last slot in use.
 */
export function createBlockFile(params: BlockFileParams): BlockFile {
  const { file, sizeBytes, layout, slots } = params;
  const cells = createWrittenCells(sizeBytes);
  for (const [block, slot] of slots.entries()) {
    const at = block * layout.blockBytes;
    if (slot !== 0) cells.mark(at, Math.min(layout.blockBytes, sizeBytes - at));
  }
  const table = createSlotTable(slots);
  const writer = createDataWriter(file.handle, file.path);
  let running: Promise<void> = Promise.resolve();
  return {
    write: async (offset, data) => {
      checkSinkRange(params, offset, data.length);
      cells.mark(offset, data.length);
      for (const piece of piecesOf(offset, data.length, layout.blockBytes)) {
        const bytes = data.subarray(piece.offset, piece.offset + piece.length);
        await writer.write(payloadAt(layout, table.slotOf(piece.block)) + piece.inBlock, bytes);
      }
    },
    writeZeros: async (offset, length) => {
      checkSinkRange(params, offset, length);
      for (const range of cells.marked(offset, length)) {
        for (const piece of piecesOf(range.offsetBytes, range.lengthBytes, layout.blockBytes)) {
          if (!table.has(piece.block)) continue;
          const at = payloadAt(layout, table.slotOf(piece.block)) + piece.inBlock;
          await writeZeroBytes(file, at, piece.length);
        }
      }
    },
    flush: async () => {
      const next = running.then(() => flushBlocks(params, table));
      running = next.catch(() => undefined);
      await next;
    },
    endBytes: () => layout.firstSlotAt + table.used() * layout.slotBytes,
    close: () => writer.close(),
  };
}
