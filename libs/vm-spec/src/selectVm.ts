import type { Finding } from '@ascend/domain';
import { noSuchVm } from './makeReader.ts';
import { shown, specFinding } from './specFinding.ts';
import type { SpecNode } from './specNode.ts';

/** One VM of a document that may hold several. */
export interface NamedVm {
  readonly node: SpecNode;
  /** What a selector may say: name, id; the first one that is told stands in messages. */
  readonly names: readonly (string | null)[];
}

/** The chosen VM, and a warning when the document holds several and nobody said which. */
export interface SelectedVm {
  readonly vm: SpecNode;
  readonly findings: readonly Finding[];
}

/**
 * The VM that `selector` names exactly, or the first one. What is told of the others counts as known.
 *
 * @throws {AppError} SPEC_DOCUMENT_INVALID - there is no (such) VM
 */
export function selectVm(format: string, selector: string | null, vms: readonly NamedVm[]): SelectedVm {
  const titles = vms.map(({ names }) => names.find((name) => name !== null) ?? 'unnamed');
  const index = selector === null ? 0 : vms.findIndex(({ names }) => names.includes(selector));
  const chosen = vms[index];
  if (chosen === undefined) throw noSuchVm(format, selector, titles);
  for (const { node } of vms) if (node !== chosen.node) node.ignore();
  if (selector !== null || vms.length < 2) return { vm: chosen.node, findings: [] };
  const finding = specFinding('SPEC_VM_AMBIGUOUS', 'warning', {
    subject: 'backup',
    message: `${format}: the document describes ${vms.length} VMs and none was chosen; ${shown(titles[0] ?? '')} is read`,
    evidence: titles.slice(0, 10).join(', '),
  });
  return { vm: chosen.node, findings: [finding] };
}
