import type { Finding } from '@ascend/domain';
import type { GuestEdit } from './guestEdit.ts';

/** Edits with the findings that explain them. */
export interface PlannedEdits {
  readonly edits: readonly GuestEdit[];
  readonly findings: readonly Finding[];
}

/** Nothing to change and nothing to say. */
export const nothingPlanned: PlannedEdits = { edits: [], findings: [] };

/** Several plans as one, in order. */
export function joinPlans(parts: readonly PlannedEdits[]): PlannedEdits {
  return {
    edits: parts.flatMap((part) => part.edits),
    findings: parts.flatMap((part) => part.findings),
  };
}

/** A finding about the guest as a whole. */
export function guestFinding(about: Omit<Finding, 'subject'>): Finding {
  return { subject: 'guest', ...about };
}
