import { runProcess, type ProcessResult } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths, type SandboxBind } from '../apply/hostSandbox.ts';

const timeoutMs = 60_000;

/** How one of mtools' programs is run. */
export interface MtoolsParams {
  readonly okExitCodes: readonly number[];
  readonly signal: AbortSignal;
  /** Further files that it may see. */
  readonly binds?: readonly SandboxBind[];
  readonly onStdout?: (chunk: Buffer) => void;
}

/** Runs a program of mtools on an exported FAT volume in the sandbox. @throws {AppError} PROCESS_*, OPERATION_CANCELLED */
export async function mtools(
  volumePath: string,
  args: readonly string[],
  { binds = [], ...params }: MtoolsParams,
): Promise<ProcessResult> {
  const [program = '', ...rest] = args;
  const inside = [program, '-i', insidePaths.volume, ...rest];
  const command = await hostSandboxCommand({ purpose: 'tool', volumePath, binds }, inside);
  return await runProcess({ ...command, ...params, timeoutMs });
}
