import { headerChecksum } from '../../windows/registry/hiveHeader.ts';
import {
  encodeRegistryData,
  registryTypes,
  type RegistryData,
} from '../../windows/registry/registryValue.ts';

/** Values of one key, by name; the empty name is the default value. */
export type KeyValues = Readonly<Record<string, RegistryData>>;

/** A whole hive as data: values by the path of their key from the root. Keys on the way are made. */
export type HiveTree = Readonly<Record<string, KeyValues>>;

interface Node {
  readonly name: string;
  readonly children: Map<string, Node>;
  values: KeyValues;
}

const none = 0xffffffff;
const segmentBytes = 16344;
// O:BAG:SYD: with no entries is enough for readers; new keys inherit the cell.
const securityDescriptor = Buffer.from(
  '010004800000000000000000000000001400000002000800000000000102000000000005200000002002000001010000000000051200000000',
  'hex',
);

function toTree(tree: HiveTree): Node {
  const root: Node = { name: 'ROOT', children: new Map(), values: {} };
  for (const [path, values] of Object.entries(tree)) {
    let node = root;
    for (const part of path.split('\\').filter((name) => name !== '')) {
      const next = node.children.get(part.toUpperCase()) ?? { name: part, children: new Map(), values: {} };
      node.children.set(part.toUpperCase(), next);
      node = next;
    }
    node.values = { ...node.values, ...values };
  }
  return root;
}

function nameBytes(name: string): { readonly bytes: Buffer; readonly ascii: boolean } {
  // eslint-disable-next-line no-control-regex -- the whole range of one-byte characters is meant
  const ascii = /^[\x00-\xff]*$/.test(name);
  return { bytes: Buffer.from(name, ascii ? 'latin1' : 'utf16le'), ascii };
}

/** The hash of names in `lh` lists. */
function nameHash(name: string): number {
  let hash = 0;
  for (const character of name.toUpperCase()) hash = (Math.imul(hash, 37) + character.charCodeAt(0)) >>> 0;
  return hash;
}

class Bins {
  private readonly cells: Buffer[] = [];
  private readonly byOffset = new Map<number, Buffer>();
  private end = 32;

  /** Appends an allocated cell and returns its offset. */
  add(contents: Buffer): number {
    const size = Math.ceil((contents.length + 4) / 8) * 8;
    const cell = Buffer.alloc(size);
    cell.writeInt32LE(-size, 0);
    contents.copy(cell, 4);
    this.cells.push(cell);
    const offset = this.end;
    this.byOffset.set(offset, cell);
    this.end += size;
    return offset;
  }

  /** Counts one more key that uses a security descriptor: who frees keys counts down. */
  addReference(security: number): void {
    const cell = this.byOffset.get(security);
    cell?.writeUInt32LE(cell.readUInt32LE(4 + 12) + 1, 4 + 12);
  }

  /** Tells a key, which was written first, who its parent is. */
  setParent(key: number, parent: number): void {
    this.byOffset.get(key)?.writeUInt32LE(parent, 4 + 16);
  }

  /** One bin with all cells, the rest of its last page free. */
  finish(): Buffer {
    const size = Math.ceil((this.end + 8) / 4096) * 4096;
    const bin = Buffer.alloc(size);
    bin.write('hbin', 0, 'latin1');
    bin.writeUInt32LE(size, 8);
    Buffer.concat(this.cells).copy(bin, 32);
    bin.writeInt32LE(size - this.end, this.end);
    return bin;
  }
}

function offsetList(offsets: readonly number[]): Buffer {
  const list = Buffer.alloc(offsets.length * 4);
  for (const [index, offset] of offsets.entries()) list.writeUInt32LE(offset, index * 4);
  return list;
}

function addData(bins: Bins, data: Buffer): number {
  if (data.length <= segmentBytes) return bins.add(data);
  const parts: number[] = [];
  for (let at = 0; at < data.length; at += segmentBytes)
    parts.push(bins.add(data.subarray(at, at + segmentBytes)));
  const record = Buffer.alloc(8);
  record.write('db', 0, 'latin1');
  record.writeUInt16LE(parts.length, 2);
  record.writeUInt32LE(bins.add(offsetList(parts)), 4);
  return bins.add(record);
}

function addValue(bins: Bins, name: string, value: RegistryData): number {
  const data = encodeRegistryData(value);
  const { bytes, ascii } = nameBytes(name);
  const vk = Buffer.alloc(20 + bytes.length);
  vk.write('vk', 0, 'latin1');
  vk.writeUInt16LE(bytes.length, 2);
  if (data.length <= 4) {
    vk.writeUInt32LE((0x80000000 + data.length) >>> 0, 4);
    data.copy(vk, 8);
  } else {
    vk.writeUInt32LE(data.length, 4);
    vk.writeUInt32LE(addData(bins, data), 8);
  }
  vk.writeUInt32LE(registryTypes[value.type], 12);
  vk.writeUInt16LE(ascii ? 1 : 0, 16);
  bytes.copy(vk, 20);
  return bins.add(vk);
}

function addSubkeys(
  bins: Bins,
  children: readonly { readonly name: string; readonly offset: number }[],
): number {
  if (children.length === 0) return none;
  const list = Buffer.alloc(4 + children.length * 8);
  list.write('lh', 0, 'latin1');
  list.writeUInt16LE(children.length, 2);
  for (const [index, child] of children.entries()) {
    list.writeUInt32LE(child.offset, 4 + index * 8);
    list.writeUInt32LE(nameHash(child.name), 8 + index * 8);
  }
  return bins.add(list);
}

function addKey(bins: Bins, node: Node, security: number, isRoot: boolean): number {
  const children = [...node.children.values()]
    .toSorted((left, right) => (left.name.toUpperCase() < right.name.toUpperCase() ? -1 : 1))
    .map((child) => ({ name: child.name, offset: addKey(bins, child, security, false) }));
  const values = Object.entries(node.values).map(([name, value]) => addValue(bins, name, value));
  const { bytes, ascii } = nameBytes(node.name);
  const nk = Buffer.alloc(76 + bytes.length);
  nk.write('nk', 0, 'latin1');
  nk.writeUInt16LE((ascii ? 0x20 : 0) | (isRoot ? 0x2c : 0), 2);
  nk.writeUInt32LE(children.length, 20);
  nk.writeUInt32LE(addSubkeys(bins, children), 28);
  nk.writeUInt32LE(none, 32);
  nk.writeUInt32LE(values.length, 36);
  nk.writeUInt32LE(values.length === 0 ? none : bins.add(offsetList(values)), 40);
  nk.writeUInt32LE(security, 44);
  nk.writeUInt32LE(none, 48);
  nk.writeUInt16LE(bytes.length, 72);
  bytes.copy(nk, 76);
  const offset = bins.add(nk);
  bins.addReference(security);
  for (const child of children) bins.setParent(child.offset, offset);
  return offset;
}

/** The base block of a hive with these fields. */
function baseBlock(rootOffset: number, binsBytes: number, sequence: number): Buffer {
  const block = Buffer.alloc(4096);
  block.write('regf', 0, 'latin1');
  block.writeUInt32LE(sequence, 4);
  block.writeUInt32LE(sequence, 8);
  block.writeUInt32LE(1, 20);
  block.writeUInt32LE(5, 24);
  block.writeUInt32LE(1, 32);
  block.writeUInt32LE(rootOffset, 36);
  block.writeUInt32LE(binsBytes, 40);
  block.writeUInt32LE(1, 44);
  block.writeUInt32LE(headerChecksum(block), 508);
  return block;
}

/** Writes a hive that Windows' format allows: one bin, `lh` lists, one security descriptor for all keys. For tests. */
export function buildHive(tree: HiveTree, sequence = 7): Buffer {
  const bins = new Bins();
  const sk = Buffer.alloc(20 + securityDescriptor.length);
  sk.write('sk', 0, 'latin1');
  // The only element of its list links to itself, which is the first cell of the first bin.
  sk.writeUInt32LE(32, 4);
  sk.writeUInt32LE(32, 8);
  sk.writeUInt32LE(securityDescriptor.length, 16);
  securityDescriptor.copy(sk, 20);
  const security = bins.add(sk);
  const root = addKey(bins, toTree(tree), security, true);
  const bin = bins.finish();
  return Buffer.concat([baseBlock(root, bin.length, sequence), bin]);
}
