/** File formats that qemu-img can write for us. */
export const convertFormats = [
  'raw',
  'qcow2',
  'qcow2-zstd',
  'vmdk',
  'vmdk-stream',
  'vhd',
  'vhd-fixed',
  'vhdx',
] as const;

/** One of the formats that qemu-img can write for us. */
export type ConvertFormat = (typeof convertFormats)[number];

/** How qemu-img is told to write a format. */
interface ConvertOptions {
  readonly driver: string;
  /** Creation options (`-o`). */
  readonly options: readonly string[];
  readonly compressed: boolean;
}

// qemu-img 7.2 (qemu-img.c, block/vpc.c, block/vmdk.c), read 2026-11. force_size: exactly the size of the disk instead of one that a geometry
// of cylinders can express.
const optionsOf: Readonly<Record<ConvertFormat, ConvertOptions>> = {
  raw: { driver: 'raw', options: [], compressed: false },
  qcow2: { driver: 'qcow2', options: [], compressed: false },
  'qcow2-zstd': { driver: 'qcow2', options: ['compression_type=zstd'], compressed: true },
  vmdk: { driver: 'vmdk', options: ['subformat=monolithicSparse'], compressed: false },
  'vmdk-stream': { driver: 'vmdk', options: ['subformat=streamOptimized'], compressed: true },
  vhd: { driver: 'vpc', options: ['subformat=dynamic', 'force_size=on'], compressed: false },
  'vhd-fixed': { driver: 'vpc', options: ['subformat=fixed', 'force_size=on'], compressed: false },
  vhdx: { driver: 'vhdx', options: ['subformat=dynamic'], compressed: false },
};

/** The arguments of `qemu-img convert`. Source and target are told by explicit driver, so nothing is probed. */
export function convertArguments(params: {
  readonly source: string;
  readonly targetPath: string;
  readonly format: ConvertFormat;
  readonly bandwidthBytesPerSecond: number | null;
}): string[] {
  const { driver, options, compressed } = optionsOf[params.format];
  const rate = params.bandwidthBytesPerSecond;
  return [
    'convert',
    '-p',
    '-m',
    '16',
    // Compressed clusters and grains must be written in order.
    ...(compressed ? ['-c'] : ['-W']),
    ...(rate === null ? [] : ['-r', String(Math.max(1, Math.floor(rate)))]),
    '-O',
    driver,
    ...options.flatMap((option) => ['-o', option]),
    params.source,
    params.targetPath,
  ];
}

/** The percentage in a line of `qemu-img -p`, such as `(12.50/100%)`; null for other lines. */
export function parseConvertProgress(line: string): number | null {
  const text = /^\s*\((\d{1,3}\.\d{2})\/100%\)\s*$/.exec(line)?.[1];
  return text === undefined ? null : Math.min(100, Number(text));
}
