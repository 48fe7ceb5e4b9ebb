import type { PlatformId, SourceClueKind, SourcePlatform, SourceTraits } from '@ascend/domain';
import { shown } from './specFinding.ts';

/** Something seen in metadata, guest or disks that may tell where a backup was taken. */
export interface SourceClue {
  readonly kind: SourceClueKind;
  readonly value: string;
  /** Where it was seen, for the operator. */
  readonly where: string;
}

/** A platform that clues speak for. */
export interface SourceCandidate {
  readonly platform: PlatformId;
  readonly weight: number;
  /** One line for each trait that was seen. */
  readonly evidence: readonly string[];
}

/** Where a backup was taken, and why. */
export interface SourceAnswer {
  /** `unknown`: too little was seen, or it is contradictory. */
  readonly platform: SourcePlatform;
  readonly isContradictory: boolean;
  /** Heaviest first. */
  readonly candidates: readonly SourceCandidate[];
}

// A document in a platform's own format outweighs all remains in a guest; one strong trait outweighs several weak ones.
const documentWeight = 200;
const weights = { strong: 20, weak: 4 } as const;
/** Two weak traits that agree. */
const leastWeight = 2 * weights.weak;
/** By how much the first must outweigh the second. */
const leastLead = 2;

function candidateOf({ platform, traits }: SourceTraits, clues: readonly SourceClue[]): SourceCandidate {
  const document = clues.find(({ kind, value }) => kind === 'document' && value === platform);
  const seen = traits.flatMap(({ kind, pattern, strength }) => {
    const clue = clues.find((candidate) => candidate.kind === kind && pattern.test(candidate.value));
    return clue === undefined ? [] : [{ clue, weight: weights[strength] }];
  });
  const all = document === undefined ? seen : [{ clue: document, weight: documentWeight }, ...seen];
  return {
    platform,
    weight: all.reduce((sum, { weight }) => sum + weight, 0),
    evidence: all.map(({ clue: { kind, value, where } }) => shown(`${kind} ${value}: ${where}`)),
  };
}

function byKindAndValue(a: SourceClue, b: SourceClue): number {
  const [left, right] = [
    `${a.kind}\u0000${a.value}\u0000${a.where}`,
    `${b.kind}\u0000${b.value}\u0000${b.where}`,
  ];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/**
 * Where a backup was taken, by what platforms' traits say of the clues. Each trait counts once, however often it was seen; clues that no
 * trait knows have no effect; the order of clues has none. Pure; never throws.
 */
export function detectSource(clues: readonly SourceClue[], platforms: readonly SourceTraits[]): SourceAnswer {
  const sorted = clues.toSorted(byKindAndValue);
  const candidates = platforms
    .map((traits) => candidateOf(traits, sorted))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || (a.platform < b.platform ? -1 : 1));
  const [first, second] = candidates;
  const isEnough = first !== undefined && first.weight >= leastWeight;
  const isContradictory = isEnough && second !== undefined && first.weight < leastLead * second.weight;
  return { platform: isEnough && !isContradictory ? first.platform : 'unknown', isContradictory, candidates };
}
