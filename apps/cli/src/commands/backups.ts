import { readFileSync } from 'node:fs';
import { AppError } from '@ascend/errors';
import {
  backupDisksSchema,
  backupListSchema,
  backupSchema,
  backupSpecSchema,
  chainSchema,
  toSnake,
  vmSpecSchema,
} from '@ascend/protocol';
import type { Command } from 'commander';
import { formatBytes, formatTable } from '../output/format.ts';
import { readAnswer, type CommandContext } from './context.ts';

interface ListOptions {
  vm?: string;
  status?: string;
}

async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const answer = await context.api.get('/backups', { vm_name: options.vm, status: options.status });
  const { backups } = readAnswer(backupListSchema, answer);
  const rows = backups.map((one) => [
    one.backup_id,
    one.vm_name,
    one.backup_type,
    one.status,
    String(one.disk_results.length),
    one.created_at ?? '-',
  ]);
  context.output.result(
    { backups },
    formatTable(['BACKUP', 'VM', 'TYPE', 'STATUS', 'DISKS', 'CREATED'], rows),
  );
}

async function show(context: CommandContext, id: string): Promise<void> {
  const backup = readAnswer(backupSchema, await context.api.get(`/backups/${encodeURIComponent(id)}`));
  const disks = backup.disks.map((disk) => [
    String(disk.disk_index),
    disk.source_format,
    disk.status,
    disk.size_gb === null ? '-' : `${disk.size_gb} GB`,
    disk.qcow2_path ?? '-',
  ]);
  const head = [
    ['backup', backup.backup_id],
    ['vm', backup.vm_name],
    ['type', backup.backup_type],
    ['status', backup.status],
    ['created', backup.created_at ?? '-'],
    ['repository', backup.repository_id ?? '-'],
    ['source', backup.source_platform],
    ['vm spec', backup.has_vm_spec ? 'yes' : 'no'],
  ].map(([key, value]) => `${`${key}:`.padEnd(12)}${value}`);
  context.output.result(
    backup,
    `${head.join('\n')}\n\n${formatTable(['DISK', 'FORMAT', 'STATUS', 'SIZE', 'FILE'], disks)}`,
  );
}

async function disks(context: CommandContext, id: string): Promise<void> {
  const answer = readAnswer(
    backupDisksSchema,
    await context.api.get(`/backups/${encodeURIComponent(id)}/disks`),
  );
  const rows = answer.disks.map((disk) => [
    String(disk.disk_index),
    String(disk.vmware_disk_key ?? '-'),
    disk.size_gb === null ? '-' : `${disk.size_gb} GB`,
    disk.status,
    disk.qcow2_path ?? '-',
  ]);
  context.output.result(answer, formatTable(['DISK', 'KEY', 'SIZE', 'STATUS', 'FILE'], rows));
}

interface ChainOptions {
  backup?: string;
  disk?: string;
  repository?: string;
}

async function chain(context: CommandContext, vm: string | undefined, options: ChainOptions): Promise<void> {
  const answer = await context.api.get('/backups/chain', {
    vm_name: vm,
    backup_id: options.backup,
    disk_index: options.disk,
    repository_id: options.repository,
  });
  const found = readAnswer(chainSchema, answer);
  const rows = found.backups.map((one) => [one.id, one.type, formatBytes(one.size_bytes)]);
  const foot = `${found.total_backups} backups, ${formatBytes(found.total_size_bytes)} in ${found.chain_id}`;
  context.output.result(found, `${formatTable(['IMAGE', 'TYPE', 'SIZE'], rows)}\n${foot}`);
}

/** Reads a JSON file given on the command line. @throws {AppError} INPUT_INVALID */
export function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({ code: 'INPUT_INVALID', message: `read ${file}: ${text}`, details: { file }, cause });
  }
}

interface SpecOptions {
  set?: string;
  specVm?: string;
}

/** The file of `--set` in the form of the API, whatever format it has. */
async function readSpec(context: CommandContext, file: string, vm: string | undefined): Promise<unknown> {
  // Loaded only here: the other commands need no readers.
  const { readSpecOption } = await import('../local/specOption.ts');
  const read = await readSpecOption({ file, vm, note: (text) => context.output.note(text) });
  return toSnake(vmSpecSchema, read);
}

async function spec(context: CommandContext, id: string, options: SpecOptions): Promise<void> {
  const path = `/backups/${encodeURIComponent(id)}/spec`;
  const answer =
    options.set === undefined
      ? await context.api.get(path)
      : await context.api.put(path, await readSpec(context, options.set, options.specVm));
  const found = readAnswer(backupSpecSchema, answer);
  context.output.result(found, JSON.stringify(found.spec, null, 2));
}

/** Adds `ascend backups …`. */
export function addBackups(
  program: Command,
  run: (work: (context: CommandContext) => Promise<void>) => Promise<void>,
): void {
  const backups = program.command('backups').description('restore points in the catalogue');
  backups
    .command('list')
    .description('list restore points, newest first')
    .option('--vm <name>', 'only of this VM')
    .option('--status <status>', 'only with this status: pending, running, completed, failed, cancelled')
    .action((options: ListOptions) => run((context) => list(context, options)));
  backups
    .command('show <backup>')
    .description('one restore point with its disks')
    .action((id: string) => run((context) => show(context, id)));
  backups
    .command('disks <backup>')
    .description('the disks of a restore point, in disk_index order')
    .action((id: string) => run((context) => disks(context, id)));
  backups
    .command('chain [vm]')
    .description('the chain of one disk: the full and its incrementals')
    .option('--backup <id>', 'the chain that this restore point belongs to')
    .option('--disk <index>', 'disk_index, default 0')
    .option('--repository <id>', 'when the VM lies in several repositories')
    .action((vm: string | undefined, options: ChainOptions) => run((context) => chain(context, vm, options)));
  backups
    .command('spec <backup>')
    .description('show the VM specification of a restore point, or set it from a file')
    .option('--set <file>', 'in the form that this command prints, or in any other known format')
    .option('--spec-vm <name>', 'which VM, where the file describes several')
    .action((id: string, options: SpecOptions) => run((context) => spec(context, id, options)));
}
