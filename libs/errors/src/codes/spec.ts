import type { CodeTable } from '../category.ts';

/** Codes of the area `spec`: metadata of a VM as its former platform wrote it. */
export const specCodes = {
  SPEC_DOCUMENT_INVALID: {
    category: 'invalid',
    meaning:
      'A document with the metadata of a VM cannot be read: it is broken, too large, nested too deep, or names entities.',
    hint: 'Export the metadata again, or tell the specification with PUT /backups/{id}/spec.',
  },
  SPEC_DOCUMENT_UNKNOWN: {
    category: 'unsupported',
    meaning: 'No reader knows the format of a document that should describe a VM.',
    hint: 'See the list of formats in the README of libs/vm-spec, or tell the specification with PUT /backups/{id}/spec.',
  },
  SPEC_VALUE_INVALID: {
    category: 'invalid',
    meaning: 'A value in the metadata of a VM is impossible, e.g. a negative size; it is left out.',
    hint: 'Correct it with PUT /backups/{id}/spec.',
  },
  SPEC_VALUE_MISSING: {
    category: 'invalid',
    meaning: 'The metadata of a VM lacks a value that a restore needs; a default stands in.',
    hint: 'Check the default in the plan, or tell the value with PUT /backups/{id}/spec.',
  },
  SPEC_FIELDS_UNKNOWN: {
    category: 'unsupported',
    meaning:
      'The metadata of a VM has fields that this version does not know; they are kept in the report and have no effect.',
    hint: 'Look through them: what matters can be set on the new VM by hand.',
  },
  SPEC_VM_AMBIGUOUS: {
    category: 'conflict',
    meaning: 'A document describes several VMs and none of them was asked for; the first is taken.',
    hint: 'Name the VM that is meant with --spec-vm, or keep one document for each VM, named after it.',
  },
} as const satisfies CodeTable;
