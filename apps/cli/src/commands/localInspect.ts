import { resolve } from 'node:path';
import { AppError } from '@ascend/errors';
import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { withWorkDir } from './localExport.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

interface InspectOptions {
  repositoryRoot?: string;
}

async function inspect(
  context: CommandContext,
  files: readonly string[],
  options: InspectOptions,
): Promise<void> {
  const { inspectDisks } = await import('../local/inspectDisks.ts');
  const { formatInspectOutcomes, inspectOutcomeJson } = await import('../output/localInspect.ts');
  await withWorkDir(async (workDir) => {
    const outcomes = await inspectDisks(files, {
      repositoryRoot: options.repositoryRoot === undefined ? null : resolve(options.repositoryRoot),
      workDir,
      signal: context.signal,
    });
    context.output.result({ disks: outcomes.map(inspectOutcomeJson) }, formatInspectOutcomes(outcomes));
    const bad = outcomes.flatMap((outcome) => {
      const error = 'error' in outcome ? outcome.error : outcome.disk.problem;
      return error === null ? [] : [error];
    });
    const [first] = bad;
    if (first === undefined) return;
    throw new AppError({
      code: first.code,
      message:
        outcomes.length === 1
          ? first.message
          : `local inspect: ${bad.length} of ${outcomes.length} disks have a problem, the first: ${first.message}`,
      details: first.details,
      hint: first.hint,
      cause: first,
    });
  });
}

const inspectHelp = `
For each disk: the files of its chain with the backing name as recorded and as found, data held, changed and visible per file, partition
table, metadata check, fingerprint. A disk that cannot be opened is told with its code, the others are still shown; the exit code is that
of the first problem.

Examples:
  ascend local inspect /backups/web1/disk-0/inc3.qcow2
  ascend local inspect disk0.vmdk disk1.vhdx --json
  ascend local inspect inc3.qcow2 --repository-root /backups`;

/** Adds `ascend local inspect`. */
export function addLocalInspect(local: Command, run: Run): void {
  local
    .command('inspect <disk...>')
    .description('what disks of a backup are made of, and whether they are sound; reads only')
    .option(
      '--repository-root <dir>',
      'folder that all files of the chains must lie in; default: the folder of each disk',
    )
    .addHelpText('after', inspectHelp)
    .action((files: string[], options: InspectOptions) => run((context) => inspect(context, files, options)));
}
