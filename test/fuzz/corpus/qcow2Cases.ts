import { cut, edited, fieldCases, type BrokenImage, type Field, type Template } from './brokenImage.ts';
import type { Templates } from './templates.ts';

// docs/interop/qcow2.txt of QEMU 7.2; big-endian.
const headerFields: readonly Field[] = [
  { name: 'version', at: 4, bytes: 4 },
  { name: 'backing offset', at: 8, bytes: 8 },
  { name: 'backing name length', at: 16, bytes: 4 },
  { name: 'cluster bits', at: 20, bytes: 4 },
  { name: 'virtual size', at: 24, bytes: 8 },
  { name: 'encryption', at: 32, bytes: 4 },
  { name: 'L1 entries', at: 36, bytes: 4 },
  { name: 'L1 offset', at: 40, bytes: 8 },
  { name: 'refcount table offset', at: 48, bytes: 8 },
  { name: 'refcount table clusters', at: 56, bytes: 4 },
  { name: 'snapshots', at: 60, bytes: 4 },
  { name: 'snapshot offset', at: 64, bytes: 8 },
];
const headerFields3: readonly Field[] = [
  { name: 'incompatible features', at: 72, bytes: 8 },
  { name: 'autoclear features', at: 88, bytes: 8 },
  { name: 'refcount order', at: 96, bytes: 4 },
  { name: 'header length', at: 100, bytes: 4 },
  { name: 'compression type', at: 104, bytes: 1 },
];
// In the first extension behind the header: its kind and length.
const extensionFields: readonly Field[] = [
  { name: 'extension kind', at: 112, bytes: 4 },
  { name: 'extension length', at: 116, bytes: 4 },
];

/** Offsets of the tables of a QCOW2. */
export function qcow2Tables(bytes: Buffer): {
  readonly l1: number;
  readonly l2: number;
  readonly refcounts: number;
} {
  const l1 = Number(bytes.readBigUInt64BE(40));
  const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  return { l1, l2, refcounts: Number(bytes.readBigUInt64BE(48)) };
}

const compressedFlag = 1n << 62n;
const copiedFlag = 1n << 63n;

const set = (at: number, value: bigint) => (copy: Buffer) => void copy.writeBigUInt64BE(value, at);

function entryCases(template: Template): readonly BrokenImage[] {
  const { bytes } = template;
  const { l1, l2, refcounts } = qcow2Tables(bytes);
  const size = BigInt(bytes.length);
  const cluster = 1n << BigInt(bytes.readUInt32BE(20));
  const places: readonly (readonly [name: string, value: bigint])[] = [
    ['behind the file', (size + cluster) & ~(cluster - 1n)],
    ['in the last place of the format', 0x00ff_ffff_ffff_fe00n & ~(cluster - 1n)],
    ['not aligned', 512n + cluster * 2n],
    ['in the header', cluster / 2n],
    ['on the L1 table', BigInt(l1)],
    ['on the L2 table itself', BigInt(l2)],
    ['on the refcount table', BigInt(refcounts)],
    ['with all bits', (1n << 64n) - 1n],
    ['with reserved bits', 0x7en | (1n << 57n) | (cluster * 4n)],
  ];
  return [
    ...places.flatMap(([name, value]) => [
      edited(template, `an L1 entry ${name}`, set(l1, value | copiedFlag)),
      edited(template, `an L2 entry ${name}`, set(l2, value | copiedFlag)),
      edited(template, `a compressed cluster ${name}`, set(l2, (value & ~(1n << 63n)) | compressedFlag)),
      edited(template, `a refcount block ${name}`, set(refcounts, value)),
    ]),
    edited(template, 'two equal L1 entries', (copy) => copy.copy(copy, l1 + 8, l1, l1 + 8)),
    edited(template, 'two equal L2 entries', (copy) => copy.copy(copy, l2 + 8, l2, l2 + 8)),
    edited(template, 'an L1 table full of one entry', (copy) => {
      for (let at = l1 + 8; at < l1 + copy.readUInt32BE(36) * 8; at += 8) copy.copy(copy, at, l1, l1 + 8);
    }),
    edited(template, 'a refcount table of zeros', (copy) =>
      copy.fill(0, refcounts, refcounts + Number(cluster)),
    ),
    edited(template, 'an L2 table of ones', (copy) => copy.fill(255, l2, l2 + Number(cluster))),
  ];
}

function cuts(template: Template): readonly BrokenImage[] {
  const { l1, l2, refcounts } = qcow2Tables(template.bytes);
  const at = [
    3,
    4,
    71,
    72,
    103,
    104,
    112,
    511,
    512,
    l1 - 1,
    l1,
    l1 + 7,
    l2,
    l2 + 8,
    refcounts,
    refcounts + 8,
  ];
  const end = template.bytes.length;
  return [...new Set([...at, end >> 1, end - 4096, end - 1])].map((bytes) => cut(template, bytes));
}

/** Broken QCOW2 files, by what is broken. */
export function qcow2Cases(templates: Templates): ReadonlyMap<string, readonly BrokenImage[]> {
  const { qcow2, qcow2v2, extendedL2, compressed, zstd } = templates;
  const groups = new Map<string, readonly BrokenImage[]>();
  for (const field of [...headerFields, ...headerFields3, ...extensionFields])
    groups.set(`QCOW2: ${field.name}`, fieldCases(qcow2, field, 'be'));
  for (const field of [...headerFields.slice(4, 8), ...headerFields3])
    groups.set(`QCOW2 with zstd: ${field.name}`, fieldCases(zstd, field, 'be'));
  groups.set(
    'QCOW2 of version 2: sizes',
    fieldCases(qcow2v2, { name: 'virtual size', at: 24, bytes: 8 }, 'be'),
  );
  for (const template of [qcow2, qcow2v2, extendedL2, compressed])
    groups.set(`entries of ${template.name}`, entryCases(template));
  groups.set('subcluster states', [
    edited(extendedL2, 'a bitmap of ones', (copy) =>
      copy.fill(255, qcow2Tables(copy).l2 + 8, qcow2Tables(copy).l2 + 16),
    ),
    edited(extendedL2, 'states without a cluster', (copy) =>
      copy.fill(0, qcow2Tables(copy).l2, qcow2Tables(copy).l2 + 8),
    ),
  ]);
  for (const template of [qcow2, compressed]) groups.set(`${template.name}, cut`, cuts(template));
  return groups;
}
