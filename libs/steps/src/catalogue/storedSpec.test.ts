import { vmSpecSchema } from '@ascend/protocol';
import { finishSpec, type SpecDraft } from '@ascend/vm-spec';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

function isStored(draft: SpecDraft): boolean {
  return vmSpecSchema.safeParse(finishSpec(draft).spec).success;
}

test('whatever a reader finds, the specification keeps the stored form', () => {
  const text = fc.option(fc.string({ unit: 'binary', maxLength: 5000 }));
  const number = fc.option(fc.double());
  const draft: fc.Arbitrary<SpecDraft> = fc.record({
    name: text,
    cpuCount: number,
    coresPerSocket: number,
    memoryBytes: number,
    firmware: fc.constantFrom('bios', 'uefi', null),
    disks: fc.array(
      fc.record({ sizeBytes: number, bus: text, controller: text, bootOrder: number, vmwareDiskKey: number }),
    ),
    nics: fc.array(fc.record({ mac: text, network: text, model: text })),
    osId: text,
    notes: text,
    cpuArch: text,
    tags: fc.dictionary(fc.string(), fc.string({ maxLength: 2000 })),
    devices: fc.array(
      fc.record({ kind: fc.constantFrom('gpu', 'other'), description: fc.string({ maxLength: 2000 }) }),
    ),
  });
  expect(() => fc.assert(fc.property(draft, isStored))).not.toThrow();
});
