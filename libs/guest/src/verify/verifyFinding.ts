import type { Finding } from '@ascend/domain';

/** A check that found what it expected. */
export function passedCheck(message: string, evidence: string): Finding {
  return { code: 'GUEST_VERIFY_FAILED', severity: 'ok', subject: 'guest', message, evidence, action: 'none' };
}

/** A check that did not: the overlay must not be used. */
export function failedCheck(message: string, evidence: string): Finding {
  const action = 'drop the overlay and prepare the guest again';
  return { code: 'GUEST_VERIFY_FAILED', severity: 'blocked', subject: 'guest', message, evidence, action };
}
