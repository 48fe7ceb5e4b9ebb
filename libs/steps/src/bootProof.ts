import type { BootReport, RestorePolicy } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { z } from 'zod';

// Keeps a step's output well below the message limit of the bus (1 MiB).
const maxScreenshotChars = 256 * 1024;
const serialDetailChars = 4096;

/** A boot report as it comes back from an earlier step. */
export const bootReportSchema: z.ZodType<BootReport> = z.object({
  verdict: z.enum(['passed', 'failed', 'inconclusive']),
  evidence: z.array(
    z.object({
      rung: z.enum(['guest-agent', 'serial-marker', 'network', 'screenshot']),
      passed: z.boolean(),
      summary: z.string(),
      atMs: z.number(),
    }),
  ),
  addresses: z.array(z.string()),
  readyAfterMs: z.number().nullable(),
  acceleration: z.enum(['kvm', 'tcg', 'platform']),
  serialTail: z.string(),
  screenshotPng: z.string().nullable(),
});

/** The report without a picture that is too large for a message. */
export function boundedReport(report: BootReport): BootReport {
  const isLarge = (report.screenshotPng?.length ?? 0) > maxScreenshotChars;
  return isLarge ? { ...report, screenshotPng: null } : report;
}

/** True when the report shows what the policy demands; with evidence `none` anything but a seen failure will do. */
export function isProven(report: BootReport, policy: Pick<RestorePolicy, 'evidence'>): boolean {
  return report.verdict === 'passed' || (policy.evidence === 'none' && report.verdict !== 'failed');
}

/** The error for a boot that was not proven, with what the console said last. */
export function notProven(report: BootReport, operation: string): AppError {
  const seen = report.evidence.map(
    (evidence) => `${evidence.rung} ${evidence.passed ? 'seen' : 'not seen'}: ${evidence.summary}`,
  );
  return new AppError({
    code: 'STEP_BOOT_NOT_PROVEN',
    message: `${operation}: ${report.verdict}: ${seen.at(-1) ?? 'no evidence at all'}`,
    details: {
      verdict: report.verdict,
      acceleration: report.acceleration,
      evidence: seen,
      addresses: report.addresses,
      serialTail: report.serialTail.slice(-serialDetailChars),
    },
  });
}
