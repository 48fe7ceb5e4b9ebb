import type { Finding, FindingSeverity } from '@ascend/domain';
import { codeRow, type ErrorCode } from '@ascend/errors';

/** Text of a document as it may stand in a message: one line, no control characters, not longer than 200 characters. */
export function shown(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
  return plain.length > 200 ? `${plain.slice(0, 197)}...` : plain;
}

/** A finding about metadata, with the hint of its code as the action. */
export function specFinding(
  code: ErrorCode,
  severity: FindingSeverity,
  { subject, message, evidence = '' }: { subject: string; message: string; evidence?: string },
): Finding {
  return { code, severity, subject, message, evidence: shown(evidence), action: codeRow(code).hint };
}
