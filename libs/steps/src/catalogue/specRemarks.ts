import type { Finding, ScannedRepository } from '@ascend/domain';

type Remark = NonNullable<ScannedRepository['remarks']>[number];

/** Remarks of one file and of one scan: more than anybody reads. */
const maxOfFile = 20;
const maxOfScan = 500;

/** Collects what readers remarked on files that were used. */
export class SpecRemarks {
  readonly list: Remark[] = [];

  add(relPath: string, findings: readonly Finding[]): void {
    const room = Math.min(maxOfFile, maxOfScan - this.list.length);
    for (const { code, message, evidence } of findings.slice(0, Math.max(room, 0))) {
      this.list.push({ relPath, code, reason: evidence === '' ? message : `${message}: ${evidence}` });
    }
  }
}
