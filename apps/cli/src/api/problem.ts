import { AppError, deserializeError, isErrorCode } from '@ascend/errors';
import { problemSchema, type Problem } from '@ascend/protocol';

/** The AppError that a problem document stands for; CLI_API_ANSWER_INVALID when it is none of ours. */
export function problemToError(status: number, body: unknown): AppError {
  const read = problemSchema.safeParse(body);
  if (!read.success || !isErrorCode(read.data.code)) {
    const details = { status, answer: JSON.stringify(body).slice(0, 500) };
    const message = `the API answered with status ${status} and no problem document that this CLI knows`;
    return new AppError({ code: 'CLI_API_ANSWER_INVALID', message, details });
  }
  const { code, detail, hint } = read.data;
  return deserializeError({ code, message: detail, hint, details: detailsOf(read.data), causes: [] });
}

/** The problem's evidence, wrong fields, findings and changes as flat details, one text a row. */
function detailsOf(problem: Problem): Record<string, string | number | string[]> {
  const details: Record<string, string | number | string[]> = {};
  for (const [key, value] of Object.entries(problem.evidence)) {
    details[key] = typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
  }
  const { errors, findings, changes } = problem;
  if (errors !== undefined) details['errors'] = errors.map((one) => `${one.field}: ${one.message}`);
  if (changes !== undefined) {
    details['changes'] = changes.map((one) => `${one.input}: ${one.planned ?? '-'} is now ${one.now ?? '-'}`);
  }
  if (findings !== undefined) {
    details['findings'] = findings.map(
      (one) => `${one.severity} ${one.subject}: ${one.message} (${one.code})`,
    );
  }
  return details;
}
