import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isBlocked } from './finding.ts';
import { ownedName } from './plan.ts';
import { isPlatformId, platformIds } from './platform.ts';
import { stepDefinitions, stepKey, stepKinds } from './step.ts';

it('a resource has the same legal name in every attempt', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.constantFrom(...stepKinds), fc.nat(99), (jobId, kind, disk) => {
      const name = ownedName(jobId, stepKey(kind, disk), 'disk');
      expect(name).toBe(ownedName(jobId, stepKey(kind, disk), 'disk'));
      expect(name).toMatch(/^[a-z0-9-]+$/);
      expect(name).toContain(jobId);
    }),
  );
});

it('resources of different steps never share a name', () => {
  const names = stepKinds.flatMap((kind) => [
    ownedName('j', stepKey(kind), 'vm'),
    ownedName('j', stepKey(kind, 1), 'vm'),
  ]);
  expect(new Set(names).size).toBe(names.length);
});

it('every kind of step is defined under its own name', () => {
  for (const kind of stepKinds) expect(stepDefinitions[kind].kind).toBe(kind);
  expect(stepKey('transfer-disk', 2)).toBe('transfer-disk:2');
  expect(stepKey('finalize')).toBe('finalize');
});

it('one blocked finding is enough to forbid the start', () => {
  const finding = { code: 'X', subject: 's', message: 'm', evidence: '', action: '' };
  expect(isBlocked([{ ...finding, severity: 'warning' }])).toBe(false);
  expect(
    isBlocked([
      { ...finding, severity: 'ok' },
      { ...finding, severity: 'blocked' },
    ]),
  ).toBe(true);
});

it('knows its platforms and nothing else', () => {
  for (const id of platformIds) expect(isPlatformId(id)).toBe(true);
  expect(isPlatformId('unknown')).toBe(false);
});
