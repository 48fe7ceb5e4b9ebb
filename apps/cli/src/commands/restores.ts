import { writeFileSync } from 'node:fs';
import { AppError } from '@ascend/errors';
import {
  apiPlanSchema,
  restoreLimitSchema,
  restoreListSchema,
  restoreReportSchema,
  restoreSchema,
  type ApiPlan,
} from '@ascend/protocol';
import type { Command } from 'commander';
import { formatRestoreLimit } from '../output/bandwidth.ts';
import { formatTable } from '../output/format.ts';
import { formatPlan } from '../output/plan.ts';
import { formatReport, formatRestore } from '../output/restore.ts';
import { readJsonFile } from './backups.ts';
import {
  collect,
  parseBandwidth,
  parsePairs,
  parseSize,
  parseWhole,
  readAnswer,
  type CommandContext,
} from './context.ts';
import { addGuestOptions, readGuestChanges, type GuestOptions } from './guestOptions.ts';
import { watchRestore } from './watch.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

/** Options of `restore plan`, `restore start` and `local restore` that make up the policy. */
export interface PolicyOptions extends GuestOptions {
  name?: string;
  prepare?: boolean;
  bootTest?: boolean;
  powerOn?: boolean;
  evidence?: string;
  marker?: string;
  bootTimeout?: string;
  excludeDisk: string[];
  network: string[];
  storage?: string;
  mac: string[];
  cpus?: string;
  memory?: string;
  bandwidth?: string;
}

/** Adds the options that make up a policy; every one has a default that works. */
export function addPolicyOptions(command: Command): Command {
  return addGuestOptions(command)
    .option('--name <name>', "name of the new VM; default: the backup's VM name")
    .option('--no-prepare', 'raw restore: touch nothing inside the guest')
    .option('--boot-test', "rehearse the boot on the target's hardware model before any upload")
    .option('--no-power-on', 'create the VM powered off, without proof that it boots')
    .option('--evidence <rung>', 'least proof that counts: guest-agent, serial-marker, network or none')
    .option(
      '--marker <text>',
      'text on the serial console that counts as serial-marker; default: a login prompt',
    )
    .option('--boot-timeout <seconds>', 'wall limit of the boot')
    .option('--exclude-disk <index>', 'leave this disk out (repeatable)', collect, [])
    .option('--network <source=target>', 'network mapping (repeatable)', collect, [])
    .option('--storage <name>', 'storage on the target; default: the one with most free space')
    .option(
      '--mac <nic=mac>',
      'MAC address of a NIC, where neither spec nor guest tells (repeatable)',
      collect,
      [],
    )
    .option('--cpus <n>', 'number of CPUs')
    .option('--memory <size>', 'memory, e.g. 2G')
    .option('--bandwidth <size>', 'cap per disk stream in bytes per second, e.g. 50M');
}

/** The policy in API form (snake_case), only what was given. @throws {AppError} INPUT_INVALID */
export function policyOf(options: PolicyOptions): Record<string, unknown> {
  const { addressRules, firstBootScript, acceptDirty, executor } = readGuestChanges(options);
  const policy: Record<string, unknown> = {
    vm_name: options.name,
    prepare_guest: options.prepare === false ? false : undefined,
    boot_test: options.bootTest,
    power_on: options.powerOn === false ? false : undefined,
    evidence: options.evidence,
    serial_marker: options.marker,
    boot_timeout_ms:
      options.bootTimeout === undefined ? undefined : parseWhole('boot-timeout', options.bootTimeout) * 1000,
    exclude_disks:
      options.excludeDisk.length === 0
        ? undefined
        : options.excludeDisk.map((one) => parseWhole('exclude-disk', one)),
    network_map: options.network.length === 0 ? undefined : parsePairs('network', options.network),
    storage: options.storage,
    macs:
      options.mac.length === 0
        ? undefined
        : parsePairs(
            'mac',
            options.mac.map((one) => one.toLowerCase()),
          ),
    cpu_count: options.cpus === undefined ? undefined : parseWhole('cpus', options.cpus),
    memory_bytes: options.memory === undefined ? undefined : parseSize('memory', options.memory),
    bandwidth_bytes_per_second:
      options.bandwidth === undefined ? undefined : parseSize('bandwidth', options.bandwidth),
    address_rules: addressRules.length === 0 ? undefined : addressRules,
    first_boot_script: firstBootScript ?? undefined,
    executor: options.executor === undefined ? undefined : executor,
    accept_dirty: acceptDirty ? true : undefined,
  };
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
}

interface PlanOptions extends PolicyOptions {
  backup?: string;
  target?: string;
  out?: string;
  plan?: string;
  watch?: boolean;
}

async function makePlan(context: CommandContext, options: PlanOptions): Promise<ApiPlan> {
  if (options.backup === undefined || options.target === undefined) {
    const message = 'plan restore: --backup and --target are needed (or --plan FILE for start)';
    throw new AppError({ code: 'INPUT_INVALID', message });
  }
  const body = { backup_id: options.backup, target_id: options.target, policy: policyOf(options) };
  context.output.note('looking at the restore point and the target …');
  return readAnswer(apiPlanSchema, await context.api.post('/restores/plan', body));
}

async function plan(context: CommandContext, options: PlanOptions): Promise<void> {
  const made = await makePlan(context, options);
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(made, null, 2)}\n`);
  context.output.result(made, formatPlan(made));
}

async function start(context: CommandContext, options: PlanOptions): Promise<void> {
  const body =
    options.plan === undefined
      ? { plan_id: (await makePlan(context, options)).plan_id }
      : { plan: readJsonFile(options.plan) };
  const restore = readAnswer(restoreSchema, await context.api.post('/restores', body));
  if (options.watch === true) {
    context.output.note(`started restore ${restore.id}`);
    await watchRestore(context, restore.id);
    return;
  }
  context.output.result(
    restore,
    `started restore ${restore.id}\nfollow it with: ascend restore watch ${restore.id}`,
  );
}

async function list(context: CommandContext, options: { status?: string }): Promise<void> {
  const answer = readAnswer(
    restoreListSchema,
    await context.api.get('/restores', { status: options.status }),
  );
  const rows = answer.restores.map((one) => [
    one.id,
    one.target_vm_name ?? '-',
    one.status,
    `${one.progress_percent.toFixed(0)} %`,
    one.backup_job_id,
    one.created_at ?? '-',
  ]);
  context.output.result(answer, formatTable(['RESTORE', 'VM', 'STATUS', 'DONE', 'BACKUP', 'CREATED'], rows));
}

async function show(context: CommandContext, id: string): Promise<void> {
  const restore = readAnswer(restoreSchema, await context.api.get(`/restores/${encodeURIComponent(id)}`));
  context.output.result(restore, formatRestore(restore));
}

async function report(context: CommandContext, id: string): Promise<void> {
  const answer = readAnswer(
    restoreReportSchema,
    await context.api.get(`/restores/${encodeURIComponent(id)}/report`),
  );
  context.output.result(answer, formatReport(answer));
}

/** The end that an order asks for, where it is not `completed`. */
const wantedEnds: Readonly<Record<string, readonly string[]>> = {
  cancel: ['cancelled', 'rolled_back'],
  rollback: ['rolled_back'],
};

async function order(
  context: CommandContext,
  id: string,
  verb: string,
  body: unknown,
  watch: boolean,
): Promise<void> {
  const path = `/restores/${encodeURIComponent(id)}/${verb}`;
  const restore = readAnswer(restoreSchema, await context.api.post(path, body));
  if (watch) await watchRestore(context, id, wantedEnds[verb]);
  else context.output.result(restore, `${verb} asked for restore ${id}; it is ${restore.state}`);
}

async function limit(context: CommandContext, id: string, options: { bandwidth: string }): Promise<void> {
  const path = `/restores/${encodeURIComponent(id)}/bandwidth`;
  const body = { bytes_per_second: parseBandwidth(options.bandwidth) };
  const limited = readAnswer(restoreLimitSchema, await context.api.post(path, body));
  context.output.result(limited, formatRestoreLimit(limited));
}

/** Adds `ascend restore …`. */
export function addRestores(program: Command, run: Run): void {
  const restore = program.command('restore').description('restore VMs');
  addPolicyOptions(
    restore
      .command('plan')
      .description('compute what a restore would do; nothing is touched')
      .requiredOption('--backup <id>', 'restore point')
      .requiredOption('--target <id>', 'where to')
      .option('-o, --out <file>', 'also write the plan to this file, for start --plan'),
  ).action((options: PlanOptions) => run((context) => plan(context, options)));
  addPolicyOptions(
    restore
      .command('start')
      .description('start a restore; a plan that no longer fits is refused with what changed')
      .option('--backup <id>', 'restore point')
      .option('--target <id>', 'where to')
      .option('--plan <file>', 'a plan written by restore plan --out')
      .option('--watch', 'stay and show progress; exit 0 only when it completed'),
  ).action((options: PlanOptions) => run((context) => start(context, options)));
  restore
    .command('watch <restore>')
    .description('show progress with bytes, rate and time left until the end; exit 0 only when it completed')
    .action((id: string) => run((context) => watchRestore(context, id)));
  restore
    .command('list')
    .description('list restores, newest first')
    .option('--status <status>', 'only with this status')
    .action((options: { status?: string }) => run((context) => list(context, options)));
  restore
    .command('show <restore>')
    .description('one restore with its steps')
    .action((id: string) => run((context) => show(context, id)));
  restore
    .command('report <restore>')
    .description('planned and measured, findings, evidence')
    .action((id: string) => run((context) => report(context, id)));
  addOrders(restore, run);
}

function addOrders(restore: Command, run: Run): void {
  const simple = (verb: string, about: string): void => {
    restore
      .command(`${verb} <restore>`)
      .description(about)
      .option('--watch', 'stay until it has ended')
      .action((id: string, options: { watch?: boolean }) =>
        run((context) => order(context, id, verb, {}, options.watch === true)),
      );
  };
  simple('retry', 'go on at the failed step, in a transfer at the last confirmed byte');
  simple('rollback', 'remove everything this restore created on the target, and wait until it is gone');
  simple('pause', 'start no new step');
  simple('resume', 'go on after pause');
  restore
    .command('limit <restore>')
    .description('change what each disk of a restore may move, at once and also while it runs')
    .requiredOption('--bandwidth <size|none>', 'bytes per second, e.g. 50M, 1K or more; none = no cap')
    .action((id: string, options: { bandwidth: string }) => run((context) => limit(context, id, options)));
  restore
    .command('cancel <restore>')
    .description('stop; what was created stays and can be rolled back later')
    .option('--rollback', 'also remove what was created')
    .option('--watch', 'stay until it has ended')
    .action((id: string, options: { rollback?: boolean; watch?: boolean }) =>
      run((context) =>
        order(context, id, 'cancel', { rollback: options.rollback === true }, options.watch === true),
      ),
    );
}
