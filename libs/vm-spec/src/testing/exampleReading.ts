import type { VmSpec } from '@ascend/domain';
import type { SpecReader } from '../specReader.ts';

/** What a reader made of a text, short enough to be compared as a whole: findings as `subject CODE`. */
export function readExample(reader: SpecReader, text: string, selector: string | null = null) {
  const { spec, findings, unknownFields } = reader.read({ name: 'document', text }, selector);
  return { spec, told: findings.map(({ code, subject }) => `${subject} ${code}`), unknownFields };
}

/** The same of a document that is given as a value; findings as codes alone. */
export function readJsonExample(reader: SpecReader, document: unknown, selector: string | null = null) {
  const text = JSON.stringify(document);
  const { spec, findings, unknownFields } = reader.read({ name: 'document', text }, selector);
  return { spec, codes: findings.map(({ code }) => code), unknownFields };
}

/** A whole specification: what is given, and of all else that a document told nothing. */
export function specOf(told: Partial<VmSpec> & Pick<VmSpec, 'name' | 'cpuCount' | 'memoryBytes'>): VmSpec {
  return {
    coresPerSocket: null,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: [],
    nics: [],
    osId: null,
    notes: null,
    tags: {},
    cpuArch: null,
    clock: null,
    devices: [],
    ...told,
  };
}
