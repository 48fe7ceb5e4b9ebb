import { AppError, isAppError, type ErrorCode } from '@ascend/errors';

// Wording of QEMU 7.2 (block/file-posix.c, block/vhdx.c, block/qcow2.c, util/error-report.c).
const patterns: readonly (readonly [RegExp, ErrorCode])[] = [
  [/failed to execute/i, 'PROCESS_NOT_FOUND'],
  [/Failed to (get|lock)|Is another process using the image/i, 'DISK_SOURCE_BUSY'],
  [/No space left|ENOSPC/i, 'DISK_SPACE_EXHAUSTED'],
  [/(Disk|Image) size (is )?too large/i, 'DISK_FORMAT_LIMIT'],
  [/log that needs to be replayed/i, 'DISK_IMAGE_DIRTY'],
  [/is corrupt|marked as corrupt|Image is corrupt/i, 'DISK_IMAGE_CORRUPT'],
  [
    /fuse: |fusermount|Failed to bind|Failed to find an available port|Cannot allocate memory/i,
    'DISK_SERVER_FAILED',
  ],
  [/Permission denied/i, 'DISK_FILE_UNREADABLE'],
  [/No such file or directory/i, 'DISK_FILE_MISSING'],
];

/** The code that a tool's own words stand for; `fallback` when none is known. */
function codeOfOutput(output: string, fallback: ErrorCode): ErrorCode {
  return patterns.find(([pattern]) => pattern.test(output))?.[1] ?? fallback;
}

/** The last line of a tool's output that says something. */
function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() ?? '';
}

/** A coded error out of a tool's output; its last 2 KiB are kept in the details. */
export function outputError(operation: string, output: string, fallback: ErrorCode): AppError {
  return new AppError({
    code: codeOfOutput(output, fallback),
    message: `${operation}: ${lastLine(output) || 'no output'}`,
    details: { output: output.slice(-2048) },
  });
}

/** Gives a failed tool run the code that its output stands for; cancellations and missing programs pass unchanged. */
export function toolError(operation: string, cause: unknown, fallback: ErrorCode): unknown {
  if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') return cause;
  const output = String(cause.details['stderrTail'] ?? '');
  return new AppError({
    code: codeOfOutput(output, fallback),
    message: `${operation}: ${lastLine(output) || cause.message}`,
    details: { output: output.slice(-2048) },
    cause,
  });
}
