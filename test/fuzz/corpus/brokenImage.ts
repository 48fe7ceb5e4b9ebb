import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** A disk of a backup that is damaged or made to do harm. */
export interface BrokenImage {
  /** What is wrong with it; ends the sentence of a test's title. */
  readonly name: string;
  /** The one code that it must end with; default: any that fits, or the right bytes. */
  readonly code?: string;
  /** Makes it in an empty folder, which is the root of the repository; returns the top file. */
  readonly make: (folder: string) => Promise<string>;
}

/** An extreme value of a header field, and the bytes that change. */
export type Edit = (bytes: Buffer) => void;

/** A whole image in memory, and the name it gets. */
export interface Template {
  readonly name: string;
  readonly fileName: string;
  readonly bytes: Buffer;
}

/** A copy of a valid image with some bytes changed. */
export function edited(template: Template, name: string, edit: Edit): BrokenImage {
  return {
    name: `${template.name} with ${name}`,
    make: async (folder) => {
      const bytes = Buffer.from(template.bytes);
      edit(bytes);
      return await place(folder, template.fileName, bytes);
    },
  };
}

/** A valid image whose file ends early. */
export function cut(template: Template, atBytes: number): BrokenImage {
  return {
    name: `${template.name} cut at ${atBytes}`,
    make: (folder) => place(folder, template.fileName, template.bytes.subarray(0, atBytes)),
  };
}

/** Writes one file of a broken image and returns its path. */
export async function place(folder: string, name: string, bytes: Uint8Array | string): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
  return file;
}

/** A number of a header by its place. */
export interface Field {
  readonly name: string;
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
}

/** Numbers that readers get wrong: none, one, signs, ends of their types, of exact doubles, and ones that are nearly right. */
function extremes(field: Field, found: bigint): readonly bigint[] {
  const bits = BigInt(field.bytes) * 8n;
  const top = 1n << bits;
  const near = [found - 1n, found + 1n, found * 2n, found + 512n, found + (1n << 16n)];
  const wide = field.bytes === 8 ? [1n << 32n, (1n << 53n) - 512n, 1n << 54n, 1n << 62n] : [];
  const all = [0n, 1n, 7n, top / 2n - 1n, top / 2n, top - 1n, top - 512n, ...wide, ...near];
  return [...new Set(all.filter((value) => value >= 0n && value < top && value !== found))];
}

/** Reads a field of an image. */
function readField(bytes: Buffer, field: Field, order: 'be' | 'le'): bigint {
  const part = Buffer.from(bytes.subarray(field.at, field.at + field.bytes));
  return BigInt(`0x${Buffer.from(order === 'be' ? part : part.toReversed()).toString('hex')}`);
}

/** Writes a field of an image. */
function writeField(bytes: Buffer, field: Field, order: 'be' | 'le', value: bigint): void {
  const part = Buffer.from(value.toString(16).padStart(field.bytes * 2, '0'), 'hex');
  bytes.set(order === 'be' ? part : part.toReversed(), field.at);
}

/** A valid image once for each extreme value of a field; `seal` makes checksums right again. */
export function fieldCases(
  template: Template,
  field: Field,
  order: 'be' | 'le',
  seal: Edit = () => undefined,
): readonly BrokenImage[] {
  const found = readField(template.bytes, field, order);
  return extremes(field, found).map((value) =>
    edited(template, `${field.name} ${value}`, (bytes) => {
      writeField(bytes, field, order, value);
      seal(bytes);
    }),
  );
}
