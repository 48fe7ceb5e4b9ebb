import type { Finding, FindingSeverity } from '@ascend/domain';
import { codeRow, type ErrorCode } from '@ascend/errors';

/** What a rule says about one obstacle. */
export interface FindingParams {
  readonly code: ErrorCode;
  readonly severity: FindingSeverity;
  readonly subject: string;
  readonly message: string;
  /** What was seen; default: nothing beyond the message. */
  readonly evidence?: string;
  /** Default: the hint of the code. */
  readonly action?: string;
}

/** A finding with the hint of its code as default action. */
export function finding(params: FindingParams): Finding {
  return {
    code: params.code,
    severity: params.severity,
    subject: params.subject,
    message: params.message,
    evidence: params.evidence ?? '',
    action: params.action ?? codeRow(params.code).hint,
  };
}

/** A value a rule decided on, with what there is to say about it. */
export interface Chosen<T> {
  readonly value: T;
  readonly findings: readonly Finding[];
}

/** Bytes for a message: GiB with one digit and the exact number. */
export function showBytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB (${bytes} bytes)`;
}

/** A list for evidence texts, cut after ten items so that hostile or huge inventories stay readable. */
export function showList(items: readonly string[]): string {
  const shown = items.slice(0, 10).join(', ');
  return items.length > 10 ? `${shown} and ${items.length - 10} more` : shown;
}

/** A list with the finding when the condition holds, else an empty one. */
export function findingIf(condition: boolean, params: FindingParams): readonly Finding[] {
  return condition ? [finding(params)] : [];
}
