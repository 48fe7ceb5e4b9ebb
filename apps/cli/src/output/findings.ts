/** The fields of a finding that are shown. */
export interface ShownFinding {
  readonly code: string;
  readonly severity: string;
  readonly subject: string;
  readonly message: string;
  readonly evidence: string;
  readonly action: string;
}

const order = ['blocked', 'warning', 'fixed', 'ok'];

/** Findings as text, the gravest first: what, evidence, what will be done or what to do. */
export function formatFindings(findings: readonly ShownFinding[]): string {
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  return sorted
    .map((finding) => {
      const head = `${finding.severity.toUpperCase().padEnd(8)}${finding.subject}: ${finding.message} (${finding.code})`;
      const more = [finding.evidence === '' ? '' : `evidence: ${finding.evidence}`, finding.action];
      return [head, ...more.filter((line) => line !== '').map((line) => `        ${line}`)].join('\n');
    })
    .join('\n');
}
