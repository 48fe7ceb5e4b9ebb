import { catalogAddAnswerSchema, catalogChangeSchema, type CatalogChange } from '@ascend/protocol';
import type { Command } from 'commander';
import { collect, parsePairs, readAnswer, type CommandContext } from './context.ts';

function describeChange(change: CatalogChange): string {
  const head = `${change.contexts} VMs, ${change.backups} backups, ${change.disks} disks; ${change.removed} removed`;
  const skipped = change.skipped.map((one) => `  left out ${one.path}: ${one.reason} (${one.code})`);
  const remarks = change.remarks.map((one) => `  ${one.path}: ${one.reason} (${one.code})`);
  return [head, ...skipped, ...remarks].join('\n');
}

async function scan(context: CommandContext, repository: string, options: { agent?: string }): Promise<void> {
  const body = {
    repository_id: repository,
    ...(options.agent === undefined ? {} : { agent_id: options.agent }),
  };
  const change = readAnswer(catalogChangeSchema, await context.api.post('/catalog/scan', body));
  context.output.result(change, describeChange(change));
}

interface AddOptions {
  repository: string;
  vm: string;
  createdAt?: string;
}

async function add(context: CommandContext, files: readonly string[], options: AddOptions): Promise<void> {
  const body = {
    repository_id: options.repository,
    vm_name: options.vm,
    disks: files.map((path) => ({ path })),
    ...(options.createdAt === undefined ? {} : { created_at: options.createdAt }),
  };
  const answer = readAnswer(catalogAddAnswerSchema, await context.api.post('/catalog/add', body));
  context.output.result(answer, `added restore point ${answer.backup_id}`);
}

async function sync(
  context: CommandContext,
  source: string,
  options: { repository: string[] },
): Promise<void> {
  const body = { source, repositories: parsePairs('repository', options.repository) };
  const change = readAnswer(catalogChangeSchema, await context.api.post('/catalog/sync', body));
  context.output.result(change, describeChange(change));
}

/** Adds `ascend catalog …`. */
export function addCatalog(
  program: Command,
  run: (work: (context: CommandContext) => Promise<void>) => Promise<void>,
): void {
  const catalog = program.command('catalog').description('fill the catalogue of restore points');
  catalog
    .command('scan <repository>')
    .description(
      'rebuild the catalogue from a repository folder alone, VM descriptions beside the disks too; safe to repeat',
    )
    .option('--agent <id>', 'which agent walks the folder')
    .action((repository: string, options: { agent?: string }) =>
      run((context) => scan(context, repository, options)),
    );
  catalog
    .command('add <disk...>')
    .description('register disk images (qcow2, vhd, vhdx, vmdk, raw) of one moment as a restore point')
    .requiredOption('--repository <id>', 'the repository they lie in; paths are relative to its root')
    .requiredOption('--vm <name>', 'name of the VM')
    .option('--created-at <time>', 'ISO 8601 UTC; default: time of the newest file')
    .action((files: string[], options: AddOptions) => run((context) => add(context, files, options)));
  catalog
    .command('sync <source>')
    .description(
      'copy from an existing catalogue database with a read-only account; SOURCE is env:NAME or file:/path holding its URL, read by the control plane',
    )
    .option(
      '--repository <theirs=ours>',
      'repository id there = repository id here (repeatable)',
      collect,
      [],
    )
    .action((source: string, options: { repository: string[] }) =>
      run((context) => sync(context, source, options)),
    );
}
