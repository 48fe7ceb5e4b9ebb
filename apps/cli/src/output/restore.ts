import type { Restore, RestoreReport } from '@ascend/protocol';
import { formatRestoreCaps } from './bandwidth.ts';
import { formatDuration, formatTable } from './format.ts';
import { formatFindings } from './findings.ts';

function took(startedAt: string | null, completedAt: string | null): string {
  if (startedAt === null || completedAt === null) return '-';
  return formatDuration(Date.parse(completedAt) - Date.parse(startedAt));
}

/** A restore with its steps as text. */
export function formatRestore(restore: Restore): string {
  const rows = restore.steps.map((step) => [
    step.step_key,
    step.state,
    String(step.attempt),
    took(step.started_at, step.completed_at),
    step.error === null ? '' : `${step.error.code}: ${step.error.message}`,
  ]);
  const lines = [
    `restore ${restore.id}: ${restore.status} (${restore.progress_percent.toFixed(0)} %), VM ${restore.target_vm_name ?? '-'} from ${restore.backup_job_id}`,
    formatRestoreCaps(restore),
    formatTable(['STEP', 'STATE', 'TRY', 'TOOK', 'ERROR'], rows),
  ];
  if (restore.error !== null)
    lines.push(`error: ${restore.error.message}`, `what to do: ${restore.error.hint}`);
  const left = restore.ledger.filter((row) => row.state !== 'gone');
  if (left.length > 0) {
    lines.push(
      '',
      formatTable(
        ['RESOURCE', 'KIND', 'STATE'],
        left.map((row) => [row.name, row.kind, row.state]),
      ),
    );
  }
  return lines.join('\n');
}

/** The report of a restore as text. */
export function formatReport(report: RestoreReport): string {
  return [
    formatRestore(report.restore),
    '',
    formatFindings(report.plan.findings),
    '',
    report.report === null ? 'The final report is not there yet.' : JSON.stringify(report.report, null, 2),
  ].join('\n');
}
