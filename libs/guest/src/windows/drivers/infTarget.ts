/** The Windows a driver is looked for. */
export interface DriverTarget {
  readonly arch: 'amd64' | 'x86' | 'arm64';
  /** e.g. 6.1 → major 6, minor 1. */
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  readonly server: boolean;
}

/** The Windows version numbers a target has, from the text of the registry; null when it is none. */
export function parseNtVersion(
  text: string | null,
): { readonly major: number; readonly minor: number } | null {
  const match = /^(\d{1,2})\.(\d{1,2})$/.exec(text ?? '');
  return match === null ? null : { major: Number(match[1]), minor: Number(match[2]) };
}

const workstation = 1;
const serverTypes = new Set([2, 3]);

/** What a decorated section is for: `NTamd64.10.0...17763`. */
interface Decoration {
  readonly arch: string;
  readonly version: readonly number[];
  readonly productType: number | null;
}

function parseDecoration(text: string): Decoration | null {
  const match = /^NT([A-Z0-9]*)((?:\.[^.]*)*)$/i.exec(text);
  if (match === null) return null;
  const fields = (match[2] ?? '').split('.').slice(1);
  const number = (index: number): number => Number(fields[index] === '' ? 0 : (fields[index] ?? 0));
  const productType = fields[2] === undefined || fields[2] === '' ? null : Number(fields[2]);
  return { arch: (match[1] ?? '').toLowerCase(), version: [number(0), number(1), number(4)], productType };
}

function compare(left: readonly number[], right: readonly number[]): number {
  for (const [index, part] of left.entries()) {
    const difference = part - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * How well a decoration (`NTamd64.10.0...14310`) fits a Windows: null = not at all, else a rank, larger is closer. The
 * closest version that is not newer than the Windows wins, as Microsoft's rules for `TargetOSVersion` say (read 2026-11).
 */
export function decorationRank(decoration: string, target: DriverTarget): readonly number[] | null {
  // Undecorated sections are for x86 only since Windows Vista 64-bit.
  if (decoration === '') return target.arch === 'x86' ? [-1, 0, 0, 0] : null;
  const parsed = parseDecoration(decoration);
  if (parsed === null || parsed.version.some((part) => !Number.isInteger(part))) return null;
  if (parsed.arch !== '' && parsed.arch !== target.arch) return null;
  if (parsed.arch === '' && target.arch !== 'x86') return null;
  const { productType } = parsed;
  if (productType !== null && !(target.server ? serverTypes.has(productType) : productType === workstation))
    return null;
  if (compare(parsed.version, [target.major, target.minor, target.build]) > 0) return null;
  return [...parsed.version, parsed.arch === '' ? 0 : 1];
}

/** The decoration that fits best among these; null = none fits. */
export function bestDecoration(decorations: readonly string[], target: DriverTarget): string | null {
  let best: { readonly text: string; readonly rank: readonly number[] } | null = null;
  for (const text of decorations) {
    const rank = decorationRank(text, target);
    if (rank !== null && (best === null || compare(rank, best.rank) > 0)) best = { text, rank };
  }
  return best?.text ?? null;
}
