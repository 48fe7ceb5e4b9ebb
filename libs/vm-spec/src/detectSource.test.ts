import type { SourceTraits } from '@ascend/domain';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { detectSource, type SourceClue } from './detectSource.ts';

const tables: readonly SourceTraits[] = [
  {
    platform: 'vmware',
    traits: [
      { kind: 'mac', pattern: /^00:50:56:/, strength: 'strong' },
      { kind: 'agent', pattern: /^open-vm-tools$/, strength: 'weak' },
      { kind: 'disk-format', pattern: /^vmdk$/, strength: 'weak' },
    ],
  },
  {
    platform: 'hyperv',
    traits: [
      { kind: 'mac', pattern: /^00:15:5d:/, strength: 'strong' },
      { kind: 'agent', pattern: /^hv-daemons$/, strength: 'weak' },
    ],
  },
];

const clueOf = (kind: SourceClue['kind'], value: string): SourceClue => ({ kind, value, where: 'x' });
const theirs = clueOf('mac', '00:50:56:00:00:01');
const others = clueOf('mac', '00:15:5d:00:00:01');
const tools = clueOf('agent', 'open-vm-tools');
const daemons = clueOf('agent', 'hv-daemons');
const vmdk = clueOf('disk-format', 'vmdk');

test.each<[string, readonly SourceClue[], string, boolean]>([
  ['nothing', [], 'unknown', false],
  ['what nobody knows', [clueOf('agent', 'cups')], 'unknown', false],
  ['one weak trait', [tools], 'unknown', false],
  ['two weak traits', [tools, vmdk], 'vmware', false],
  ['one weak trait, seen three times', [tools, tools, tools], 'unknown', false],
  ['a strong trait', [theirs], 'vmware', false],
  ['a strong trait against a weak one', [theirs, daemons], 'vmware', false],
  ['two strong traits of two platforms', [theirs, others], 'unknown', true],
  ['a document against a strong trait', [clueOf('document', 'hyperv'), theirs], 'hyperv', false],
  [
    'two documents of two platforms',
    [clueOf('document', 'hyperv'), clueOf('document', 'vmware')],
    'unknown',
    true,
  ],
])('%s', (_, clues, platform, isContradictory) => {
  expect(detectSource(clues, tables)).toMatchObject({ platform, isContradictory });
});

test('the candidates are ranked, each with what speaks for it', () => {
  expect(detectSource([daemons, theirs, tools], tables).candidates).toEqual([
    { platform: 'vmware', weight: 24, evidence: ['mac 00:50:56:00:00:01: x', 'agent open-vm-tools: x'] },
    { platform: 'hyperv', weight: 4, evidence: ['agent hv-daemons: x'] },
  ]);
});

const known = fc.constantFrom(theirs, others, tools, daemons, vmdk, clueOf('document', 'hyperv'));
const some = fc.array(known, { maxLength: 8 });
const irrelevant = fc.record({
  kind: fc.constantFrom('mac', 'agent', 'service', 'file-name', 'dmi', 'document' as const),
  value: fc.string().map((text) => `none ${text}`),
  where: fc.string(),
});

test('clues that no trait knows, repetitions and the order change nothing', () => {
  const property = fc.property(
    some,
    fc.array(irrelevant),
    fc.infiniteStream(fc.nat()),
    (clues, more, numbers) => {
      const before = detectSource(clues, tables);
      const mixed = [...more, ...clues, ...clues]
        .map((clue) => ({ clue, rank: numbers.next().value }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ clue }) => clue);
      expect(detectSource(mixed, tables)).toEqual(before);
    },
  );
  expect(() => fc.assert(property)).not.toThrow();
});

test('a clue for the found platform never takes the finding away', () => {
  const property = fc.property(some, (clues) => {
    const { platform } = detectSource(clues, tables);
    const forIt = platform === 'hyperv' ? [others, daemons] : [theirs, tools, vmdk];
    fc.pre(platform !== 'unknown');
    expect(forIt.map((clue) => detectSource([...clues, clue], tables).platform)).toEqual(
      forIt.map(() => platform),
    );
  });
  expect(() => fc.assert(property)).not.toThrow();
});
