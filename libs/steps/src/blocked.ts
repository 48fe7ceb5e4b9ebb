import type { Finding } from '@ascend/domain';
import { AppError, isErrorCode } from '@ascend/errors';

/**
 * Ends a step when a finding forbids to go on. The error carries the code of the first one and the texts of all.
 *
 * @throws {AppError} the code of the first blocked finding
 */
export function assertNotBlocked(findings: readonly Finding[], operation: string): void {
  const blocked = findings.filter((finding) => finding.severity === 'blocked');
  const [first] = blocked;
  if (first === undefined) return;
  throw new AppError({
    code: isErrorCode(first.code) ? first.code : 'STEP_PLAN_MISMATCH',
    message: `${operation}: ${first.message}`,
    hint: first.action,
    details: {
      subject: first.subject,
      evidence: first.evidence,
      findings: blocked.map((finding) => `${finding.code} ${finding.subject}: ${finding.message}`),
    },
  });
}
