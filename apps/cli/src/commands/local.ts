import { join, resolve } from 'node:path';
import { homedir } from 'node:os';
import type { RestoreJob, RestorePlan } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { fromSnake, partialPolicySchema, planSchema, toSnake } from '@ascend/protocol';
import { createLogger } from '@ascend/runtime';
import type { Command } from 'commander';
import { formatPlan } from '../output/plan.ts';
import { createLocalView, formatLocalJob } from '../output/localView.ts';
import { readJsonFile } from './backups.ts';
import type { CommandContext } from './context.ts';
import { addKeyOption, addSourceOptions, readSources, type SourceOptions } from './guestOptions.ts';
import { addLocalBootTest } from './localBootTest.ts';
import { addLocalConvert } from './localConvert.ts';
import { addLocalExport } from './localExport.ts';
import { addLocalInspect } from './localInspect.ts';
import { addPolicyOptions, policyOf, type PolicyOptions } from './restores.ts';

interface LocalRestoreOptions extends PolicyOptions, SourceOptions {
  key: string[];
  target: string;
  vm?: string;
  backup?: string;
  spec?: string;
  specVm?: string;
  repositoryRoot?: string;
  workDir?: string;
  dryRun?: boolean;
  verbose?: boolean;
}

async function restore(
  context: CommandContext,
  sources: readonly string[],
  options: LocalRestoreOptions,
): Promise<void> {
  // Loaded only here: the other commands need neither disk nor guest code.
  const { localRestore, defaultWorkDir } = await import('../local/localRestore.ts');
  const { parseTargetFile } = await import('../local/targetFile.ts');
  const target = parseTargetFile(options.target, readJsonFile(options.target));
  const policy = partialPolicySchema.parse(fromSnake(partialPolicySchema, policyOf(options)));
  const request = [sources.map((one) => resolve(one)), options.vm, options.backup, target, policy];
  const guestSources = readSources(options);
  const workDir = options.workDir ?? defaultWorkDir(join(homedir(), '.local/state/ascend/restores'), request);
  const view = createLocalView({
    write: (text) => process.stderr.write(text),
    live: !context.output.json && process.stderr.isTTY,
  });
  const job = await localRestore({
    sources,
    vm: options.vm,
    backup: options.backup,
    specFile: options.spec,
    specVm: options.specVm,
    repositoryRoot: options.repositoryRoot,
    target,
    policy: Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)),
    keys: options.key,
    workDir: resolve(workDir),
    guestSources,
    dryRun: options.dryRun === true,
    logger: createLogger({ name: 'ascend', level: options.verbose === true ? 'debug' : 'error' }),
    signal: context.signal,
    note: (text) => context.output.note(text),
    onPlan: (plan) => showPlan(context, plan, options.dryRun === true),
    onProgress: (progress) => view.progress(progress),
    onChange: (changed) => view.update(changed),
  });
  view.close();
  if (job !== null) finish(context, job, workDir);
}

function showPlan(context: CommandContext, plan: RestorePlan, dryRun: boolean): void {
  const shown = toSnake(planSchema, plan);
  if (dryRun) context.output.result(shown, formatPlan(shown));
  else context.output.note(`${formatPlan(shown)}\n`);
}

function finish(context: CommandContext, job: RestoreJob, workDir: string): void {
  context.output.result(job, formatLocalJob(job));
  if (job.state === 'completed') return;
  if (context.signal.aborted) {
    const message = `local restore ${job.jobId}: interrupted; the same command goes on where it stopped`;
    throw new AppError({ code: 'OPERATION_CANCELLED', message, details: { workDir } });
  }
  throw new AppError({
    code: 'CLI_RESTORE_NOT_COMPLETED',
    message: `local restore ${job.jobId}: it ended ${job.state}: ${job.error?.message ?? ''}`,
    details: { cause_code: job.error?.code ?? '', cause_hint: job.error?.hint ?? '', workDir },
    hint: 'Remove the cause and give the same command again: it goes on at the failed step.',
  });
}

/** Adds `ascend local …`. */
export function addLocal(
  program: Command,
  run: (work: (context: CommandContext) => Promise<void>) => Promise<void>,
): void {
  const local = program.command('local').description('work without control plane, database and bus');
  addLocalExport(local, run);
  addLocalInspect(local, run);
  addLocalConvert(local, run);
  addLocalBootTest(local, run);
  addKeyOption(
    addSourceOptions(
      addPolicyOptions(
        local
          .command('restore <folder|file...>')
          .description(
            'restore from a repository folder, or from the image files of one moment, in this process',
          )
          .requiredOption(
            '--target <file>',
            'JSON file: {"platform": …, "connection": {…}, "secrets": {"name": "env:VAR"}}',
          )
          .option('--vm <name>', 'which VM of the folder')
          .option('--backup <id|stamp|latest>', 'which restore point; default: the newest')
          .option(
            '--spec <file>',
            'description of the VM in any known format; default: the one beside the backup',
          )
          .option('--spec-vm <name>', 'which VM, where that file describes several')
          .option('--repository-root <dir>', 'folder that backing files may lie in, when files are given')
          .option('--work-dir <dir>', 'journal and scratch; the same folder continues an interrupted restore')
          .option('--dry-run', 'show the plan and stop')
          .option('--verbose', 'log to standard error'),
      ),
    ),
  ).action((sources: string[], options: LocalRestoreOptions) =>
    run((context) => restore(context, sources, options)),
  );
}
