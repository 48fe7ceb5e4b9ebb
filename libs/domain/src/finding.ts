/** `ok` nothing to do · `fixed` an obstacle we remove ourselves · `warning` goes on, operator should know · `blocked` must not start. */
export type FindingSeverity = 'ok' | 'fixed' | 'warning' | 'blocked';

/** One pre-flight result. `code` is a code of the error table, so every finding has a documented meaning and hint. */
export interface Finding {
  readonly code: string;
  readonly severity: FindingSeverity;
  /** What it is about: `disk:0`, `nic:1`, `guest`, `target`, `agent`, `backup`. */
  readonly subject: string;
  /** One sentence with the numbers in it. */
  readonly message: string;
  /** What was seen: path, size, vendor text. Never a secret. */
  readonly evidence: string;
  /** `fixed`: what will be done. `blocked`/`warning`: what the operator can do. */
  readonly action: string;
}

/** True when at least one finding forbids the start. */
export function isBlocked(findings: readonly Finding[]): boolean {
  return findings.some((finding) => finding.severity === 'blocked');
}
