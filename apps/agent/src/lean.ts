import { fileURLToPath } from 'node:url';

/** True where a process can replace itself, keeping its pid: on POSIX systems. */
export function canReplaceItself(): boolean {
  return typeof process.execve === 'function';
}

/**
 * Replaces this process by `node <options> <file>` with the given environment. Does not return, except where
 * `canReplaceItself` is false.
 */
export function replaceBy(
  file: URL,
  options: readonly string[],
  environment: Readonly<Record<string, string>>,
): void {
  const args = [process.execPath, ...process.execArgv, ...options, fileURLToPath(file)];
  process.execve?.(process.execPath, args, { ...environment });
}
