import type { JobStep, RetryPolicy, StoredError } from '@ascend/domain';
import { categoryTraits, codeRow, isErrorCode } from '@ascend/errors';

/** True when the same call may be made again without a human changing something first; an unknown code never. */
export function isRetryable(error: Pick<StoredError, 'code'>): boolean {
  if (!isErrorCode(error.code)) return false;
  return categoryTraits[codeRow(error.code).category].retry !== 'never';
}

/** Wait before the next attempt in ms: exponential with full jitter, where `jitter` is a random number in [0, 1]. */
export function retryDelayMs(policy: RetryPolicy, attempt: number, jitter: number): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.max(0, attempt - 1));
  return Math.round(ceiling * jitter);
}

/** True when the failed attempt is repeated by itself. Every `maxAttempts` attempts an operator has to say so, which gives a new series. */
export function mayRetry(step: JobStep, policy: RetryPolicy, error: StoredError): boolean {
  return isRetryable(error) && step.attempt % policy.maxAttempts !== 0;
}
