import type { VmDevice } from '@ascend/domain';

/**
 * CPUs and memory (GiB) by size, without `Standard_`. Source: skypilot-org/skypilot-catalog `catalogs/v6/azure/vms.csv` (B series) and
 * the ratios of the series (D 4, E 8, F v2 2 GiB per CPU), read 2026-11-20.
 */
const sizes: Readonly<Record<string, readonly [cpus: number, memoryGib: number]>> = {
  B1s: [1, 1],
  B1ms: [1, 2],
  B2s: [2, 4],
  B2ms: [2, 8],
  B4ms: [4, 16],
  B8ms: [8, 32],
};

/** Series whose memory follows from the CPUs: letters before the number, features and version after it, GiB per CPU. */
const series: readonly [pattern: RegExp, gibPerCpu: number][] = [
  [/^B(2|4|8)(?:s|as)_v2$/, 4],
  [/^D(2|4|8|16|32)(?:s|ds|as)_v[3-6]$/, 4],
  [/^E(2|4|8|16)(?:s|as)_v[3-6]$/, 8],
  [/^F(2|4|8|16)s_v2$/, 2],
];

/** CPUs and memory of a size; `isKnown` false = not in the table. */
export interface VmSize {
  readonly cpuCount: number | null;
  readonly memoryBytes: number | null;
  readonly isKnown: boolean;
}

function bare(vmSize: string | null): string {
  return vmSize?.replace(/^(?:Standard|Basic)_/i, '') ?? '';
}

/**
 * Size of a VM by the table. A size with fewer CPUs than its memory would have (`E8-4s_v5`, constrained cores) has the memory of the full
 * one (general knowledge of the naming).
 */
export function sizeOf(vmSize: string | null): VmSize {
  const constrained = /^([A-Z]+\d{1,3})-(\d{1,3})(.*)$/.exec(bare(vmSize));
  const name = constrained === null ? bare(vmSize) : `${constrained[1]}${constrained[3]}`;
  const row = Object.hasOwn(sizes, name) ? sizes[name] : undefined;
  const rule = series.find(([pattern]) => pattern.test(name));
  const cpus = row?.[0] ?? Number(rule?.[0].exec(name)?.[1] ?? Number.NaN);
  const memoryGib = row?.[1] ?? cpus * (rule?.[1] ?? Number.NaN);
  if (!Number.isFinite(memoryGib)) return { cpuCount: null, memoryBytes: null, isKnown: false };
  return {
    cpuCount: constrained === null ? cpus : Number(constrained[2]),
    memoryBytes: memoryGib * 1024 ** 3,
    isKnown: true,
  };
}

/** Sizes of v6 have NVMe and generation 2 alone (SKU sample of Azure/karpenter-provider-azure, read 2026-11-20). */
export function isNvmeOnly(vmSize: string | null): boolean {
  return bare(vmSize).endsWith('_v6');
}

/** `p` among the features of a size means ARM (general knowledge of the naming); null = the size is of another form. */
export function archOf(vmSize: string | null): string | null {
  const features = /^[A-Z]+\d{1,3}(?:-\d{1,3})?([a-z]{0,8})(?:_|$)/.exec(bare(vmSize))?.[1];
  if (features === undefined) return null;
  return features.includes('p') ? 'aarch64' : 'x86_64';
}

/** Families with accelerators (general knowledge of the families, 2026-11). */
const families: readonly [RegExp, VmDevice['kind'], string][] = [
  [/^NP\d/, 'other', 'field-programmable gate array'],
  [/^N[CDVG]/, 'gpu', 'graphics processor'],
  [/^H[BCX]?\d/, 'other', 'InfiniBand'],
  [/^DC\d/, 'other', 'confidential computing'],
  [/^EC\d/, 'other', 'confidential computing'],
];

/** The accelerators that come with a size. */
export function acceleratorsOf(vmSize: string | null): readonly VmDevice[] {
  const found = families.find(([pattern]) => pattern.test(bare(vmSize)));
  return found === undefined ? [] : [{ kind: found[1], description: `${vmSize}: ${found[2]}` }];
}
