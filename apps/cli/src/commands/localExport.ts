import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { ExportPlan, ExportProgress } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import type { Command } from 'commander';
import type { ExportOutcome } from '../local/exportDisks.ts';
import type { ExportOptions, ExportRequest } from '../local/exportRequest.ts';
import { createStepLines } from '../output/progress.ts';
import type { CommandContext } from './context.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

/** Runs work with a private folder for sockets, which is gone afterwards. */
export async function withWorkDir(work: (workDir: string) => Promise<void>): Promise<void> {
  const workDir = await mkdtemp(join(tmpdir(), 'ascend-'));
  try {
    await work(workDir);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function createLines(context: CommandContext) {
  return createStepLines({
    write: (text) => process.stderr.write(text),
    live: !context.output.json && process.stderr.isTTY,
  });
}

async function exportDelta(context: CommandContext, request: ExportRequest, workDir: string): Promise<void> {
  const { planDelta, runDelta } = await import('../local/exportDelta.ts');
  const view = await import('../output/localExport.ts');
  const { signal, output } = context;
  const plan = await planDelta(request, workDir, signal);
  if (request.dryRun) {
    output.result(view.deltaPlanJson(plan), view.formatDeltaPlan(plan));
    return;
  }
  const lines = createLines(context);
  const key = basename(plan.target.path);
  const draw = (state: string): void => {
    if (!output.json) lines.draw([{ key, state, attempt: 1 }]);
  };
  draw('running');
  const result = await runDelta(plan, request, {
    workDir,
    signal,
    onProgress: ({ bytesDone, bytesTotal }) =>
      lines.observe(key, Date.now(), { phase: 'delta', done: bytesDone, total: bytesTotal, skipped: 0 }),
  });
  draw('succeeded');
  lines.close();
  output.result(view.deltaResultJson(plan, result), view.formatDeltaResult(plan, result));
}

async function exportArchive(
  context: CommandContext,
  request: ExportRequest,
  workDir: string,
): Promise<void> {
  const { planPack, runPack } = await import('../local/packDisks.ts');
  const view = await import('../output/localAppliance.ts');
  const { signal, output } = context;
  const plan = await planPack(request, { workDir, signal });
  if (request.dryRun) {
    output.result(view.appliancePlanJson(plan), view.formatAppliancePlan(plan));
    return;
  }
  const lines = createLines(context);
  const out = basename(plan.files.finalPath);
  const keyOf = (disk: ExportPlan): string => `${out} disk ${plan.disks.indexOf(disk) + 1}`;
  const draw = (state: string): void => {
    if (!output.json) lines.draw(plan.disks.map((disk) => ({ key: keyOf(disk), state, attempt: 1 })));
  };
  draw('running');
  const result = await runPack(plan, {
    signal,
    onRemark: (text) => output.note(`${out}: ${text}`),
    onProgress: (disk, progress) => observe(lines, keyOf(disk), progress),
  });
  draw('succeeded');
  lines.close();
  output.result(view.applianceResultJson(result), view.formatApplianceResult(result));
}

function observe(lines: ReturnType<typeof createLines>, key: string, progress: ExportProgress): void {
  const { phase, bytesDone: done, bytesTotal: total, bytesSkipped: skipped } = progress;
  lines.observe(key, Date.now(), { phase, done, total, skipped });
}

/** Runs the exports under one view of all of them. */
async function runShown(
  context: CommandContext,
  plans: readonly ExportPlan[],
  params: { readonly workDir: string; readonly atOnce: number },
): Promise<readonly ExportOutcome[]> {
  const { runExports } = await import('../local/exportDisks.ts');
  const states = new Map(plans.map((plan) => [plan.files.finalPath, 'waiting']));
  const lines = createLines(context);
  const draw = (plan: ExportPlan, state: string): void => {
    states.set(plan.files.finalPath, state);
    if (context.output.json) return;
    lines.draw([...states].map(([path, shown]) => ({ key: basename(path), state: shown, attempt: 1 })));
  };
  const outcomes = await runExports(plans, {
    ...params,
    signal: context.signal,
    onStart: (plan) => draw(plan, 'running'),
    onEnd: (plan, outcome) => draw(plan, 'error' in outcome ? 'failed' : 'succeeded'),
    onRemark: (plan, text) => context.output.note(`${basename(plan.files.finalPath)}: ${text}`),
    onProgress: (plan, progress) => observe(lines, basename(plan.files.finalPath), progress),
  });
  lines.close();
  return outcomes;
}

function firstError(outcomes: readonly ExportOutcome[]): AppError | null {
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const [first] = failed;
  if (first === undefined) return null;
  if (outcomes.length === 1) return first;
  return new AppError({
    code: first.code,
    message: `local export: ${failed.length} of ${outcomes.length} disks failed, the first with: ${first.message}`,
    details: first.details,
    hint: first.hint,
    cause: first,
  });
}

async function exportChains(
  context: CommandContext,
  chains: readonly string[],
  options: ExportOptions,
): Promise<void> {
  // Loaded only here: the other commands need no disk code.
  const { readExportRequest } = await import('../local/exportRequest.ts');
  const request = await readExportRequest(chains, options, (text) => context.output.note(text));
  await withWorkDir(async (workDir) => {
    if (request.delta !== null) {
      await exportDelta(context, request, workDir);
      return;
    }
    if (request.spec !== null) {
      await exportArchive(context, request, workDir);
      return;
    }
    const { planDisks } = await import('../local/exportDisks.ts');
    const view = await import('../output/localExport.ts');
    const plans = await planDisks(request, { workDir, signal: context.signal });
    if (request.dryRun) {
      context.output.result({ disks: plans.map(view.exportPlanJson) }, view.formatExportPlans(plans));
      return;
    }
    const outcomes = await runShown(context, plans, { workDir, atOnce: request.atOnce });
    const error = firstError(outcomes);
    if (error === null || outcomes.length > 1) {
      context.output.result(
        { disks: outcomes.map(view.exportOutcomeJson) },
        view.formatExportOutcomes(outcomes),
      );
    }
    if (error !== null) throw error;
  });
}

const exportHelp = `
Formats: raw, qcow2, qcow2-zstd, vmdk, vmdk-stream, vhd, vhd-fixed, vhdx, ova. A disk that is larger than its format can hold is refused
(vhd 2040 GiB, vmdk 62 TiB, vhdx 64 TiB).

One chain goes to the file --out, or into --out when that is a folder; several go into the folder --out (made when missing), as many at once as
there are cores or --at-once says, each in a thread of its own and under the name of its top file. ova packs all chains, in the order given, into the
one file --out. Nothing stands under a final name before it is complete, flushed and verified; a file that is there is never replaced. Ctrl-C or a
crash: the same command with --resume goes on at the last confirmed byte, if neither the backup nor the partial file has changed, and says so.
vmdk-stream, ova and the engine qemu-img cannot go on: they start at zero and say that.

Engines: own reads the files themselves and writes by own encoders; direct and nbd do the same and say how the source is read, from its files
or all of it by qemu-nbd; qemu-img converts by that program, without digest and resume; auto is own, then qemu-img for what an own encoder refuses,
then raw under the name with .raw behind it. Whatever reads, the tables of all files are walked first: a cut file is refused. --verify reads the source
the other way than the copy did.

Examples:
  ascend local export /backups/web1/disk-0/inc3.qcow2 --format raw --out /vms/web1.raw
  ascend local export inc3-disk0.qcow2 inc3-disk1.qcow2 --format vhdx --out /exports --bandwidth 100M
  ascend local export inc3.qcow2 --format qcow2 --out web1.qcow2 --dry-run --json
  ascend local export inc3.qcow2 --format raw --out web1.raw --resume --verify read-back
  ascend local export inc4.qcow2 --format raw --out web1.raw --delta-from inc3.qcow2
  ascend local export web1-disk0.qcow2 web1-disk1.qcow2 --format ova --spec web1.vmspec.json --out web1.ova`;

/** Adds `ascend local export`. */
export function addLocalExport(local: Command, run: Run): void {
  local
    .command('export <chain...>')
    .description('write points in time as disk files; a chain is named by its top file')
    .requiredOption('--format <format>', 'what to write, see below')
    .requiredOption('--out <path>', 'file for one chain, folder for several')
    .option('--spec <file>', 'description of the VM for ova, in any known format')
    .option('--spec-vm <name>', 'which VM, where the file describes several')
    .option('--engine <engine>', 'auto, own, nbd, direct or qemu-img', 'auto')
    .option('--bandwidth <size>', 'cap per disk in bytes per second, e.g. 50M')
    .option('--at-once <number>', 'disks that are copied at the same time; default: one per core')
    .option(
      '--checkpoint <seconds>',
      'how often progress is made durable for --resume, beside every 64 MiB; default: 5',
    )
    .option('--resume', 'go on with what an interrupted export left')
    .option(
      '--verify <mode>',
      'none, sample (both ends, edges of data, 256 random blocks) or read-back (every block)',
      'sample',
    )
    .option(
      '--repository-root <dir>',
      'folder that all files of the chains must lie in; default: the folder of each chain',
    )
    .option('--source-format <format>', 'qcow2, vhd, vhdx, vmdk or raw, where name and content do not tell')
    .option('--delta-from <file>', 'older point that --out is a copy of: write only what changed since')
    .option('--dry-run', 'show what would be moved and how long it takes, write nothing')
    .addHelpText('after', exportHelp)
    .action((chains: string[], options: ExportOptions) =>
      run((context) =>
        exportChains(
          context,
          chains.map((one) => resolve(one)),
          options,
        ),
      ),
    );
}
