// Prints the report of a restore (`ascend --json restore report ID`) the way a person wants to read it.
//   node deploy/report.ts REPORT.json
import { readFileSync } from 'node:fs';
import type { FinalizeOutput } from '@ascend/steps';
import { restoreReportSchema } from '@ascend/protocol';

const file = process.argv[2];
if (file === undefined) {
  process.stderr.write('report: a report file is needed\n');
  process.exit(2);
}
const { restore, plan, report } = restoreReportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own last step wrote it into the job
const done = (report as FinalizeOutput | null)?.report;
if (done === undefined) {
  process.stderr.write(`report: restore ${restore.id} has no final report, it is ${restore.state}\n`);
  process.exit(1);
}

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
const seconds = (ms: number | null): string => (ms === null ? 'unknown' : `${(ms / 1000).toFixed(1)} s`);
const stamp = done.backupId.replace(/^.*-(\d{8})-(\d{6})$/, '$1 $2');
const boot = done.boot;

const lines = [
  `restore        ${done.jobId}: ${restore.status}`,
  `point in time  ${done.backupId} (${stamp}), files unchanged: ${done.sourceUnchanged ? 'yes' : 'NO'}`,
  ...done.disks.map(
    (disk) =>
      `disk ${disk.diskIndex}         ${disk.relPath}\n               ${mib(disk.copiedBytes)} copied of ${mib(disk.sizeBytes)} in ${seconds(disk.durationMs)}, digest ${disk.sha256 ?? '-'}`,
  ),
  ...done.nics.map(
    (nic) =>
      `address        ${nic.addresses.join(', ') || 'none'} kept on ${nic.mac ?? 'a new MAC'} (${nic.network})`,
  ),
  `guest          ${done.guest === null ? 'not touched' : `${done.guest.system}, ${done.guest.diff.length} edits`}`,
  ...(done.guest?.diff ?? []).map((edit) => `               ${edit.path}: ${edit.change}`),
  `VM             ${done.vmName} on ${done.target}: ${boot?.verdict ?? 'not started'}, ready after ${seconds(boot?.readyAfterMs ?? null)} (${boot?.acceleration ?? '-'})`,
  ...(boot?.evidence ?? []).map((one) => `               ${one.rung}: ${one.summary}`),
  ...(boot === null
    ? []
    : [
        `               seen addresses: ${boot.addresses.join(', ') || 'none'}; screenshot: ${boot.screenshotPng === null ? 'none' : 'in the report'}`,
      ]),
  `time           ${seconds(done.measuredDurationMs)} measured, ${seconds(done.plannedDurationMs.p50)} to ${seconds(done.plannedDurationMs.p90)} planned`,
  `report         ${file} (plan ${plan.plan_id})`,
];
process.stdout.write(`${lines.join('\n')}\n`);
