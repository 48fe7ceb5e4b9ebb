import { targetCheckSchema, targetInventorySchema, targetListSchema, targetSchema } from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import { readEnvironment, readSecretReference } from '@ascend/runtime';
import type { Command } from 'commander';
import { formatBytes, formatTable } from '../output/format.ts';
import { formatFindings } from '../output/findings.ts';
import { readJsonFile } from './backups.ts';
import { collect, parsePairs, readAnswer, type CommandContext } from './context.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

interface AddOptions {
  platform: string;
  name?: string;
  connection: string;
  secret: string[];
  agent: string[];
}

async function add(context: CommandContext, id: string, options: AddOptions): Promise<void> {
  const environment = readEnvironment();
  const secrets = Object.fromEntries(
    Object.entries(parsePairs('secret', options.secret)).map(([name, reference]) => [
      name,
      // Revealed only into the request body, which goes over the API's connection and is sealed at rest.
      readSecretReference(reference, environment).reveal(),
    ]),
  );
  const connection = options.connection.trimStart().startsWith('{')
    ? parseInline(options.connection)
    : readJsonFile(options.connection);
  const body = {
    target_id: id,
    name: options.name ?? id,
    platform: options.platform,
    connection,
    secrets,
    agent_ids: options.agent,
  };
  const target = readAnswer(targetSchema, await context.api.post('/targets', body));
  context.output.result(target, `added target ${target.target_id}`);
}

function parseInline(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AppError({ code: 'INPUT_INVALID', message: 'read --connection: it is not JSON', cause });
  }
}

async function list(context: CommandContext): Promise<void> {
  const answer = readAnswer(targetListSchema, await context.api.get('/targets'));
  const rows = answer.targets.map((one) => [
    one.target_id,
    one.platform,
    one.agent_ids.join(' ') || '-',
    one.name,
  ]);
  context.output.result(answer, formatTable(['TARGET', 'PLATFORM', 'AGENTS', 'NAME'], rows));
}

async function show(context: CommandContext, id: string): Promise<void> {
  const target = readAnswer(targetSchema, await context.api.get(`/targets/${encodeURIComponent(id)}`));
  context.output.result(target, JSON.stringify(target, null, 2));
}

async function check(context: CommandContext, id: string): Promise<void> {
  const answer = await context.api.post(`/targets/${encodeURIComponent(id)}/check`);
  const found = readAnswer(targetCheckSchema, answer);
  context.output.result(
    found,
    `${found.ok ? 'ok' : 'not usable'}\n${formatFindings(found.findings)}`.trimEnd(),
  );
}

async function inventory(context: CommandContext, id: string): Promise<void> {
  const answer = await context.api.get(`/targets/${encodeURIComponent(id)}/inventory`);
  const found = readAnswer(targetInventorySchema, answer);
  const storages = found.storages.map((one) => [
    one.name,
    formatBytes(one.free_bytes),
    formatBytes(one.total_bytes),
  ]);
  const text = [
    `API ${found.api_version}, ${found.cpu_count} CPUs, ${formatBytes(found.memory_bytes)} memory, acceleration ${found.acceleration}`,
    '',
    formatTable(['STORAGE', 'FREE', 'TOTAL'], storages),
    '',
    formatTable(
      ['NETWORK', 'ABOUT'],
      found.networks.map((one) => [one.name, one.about]),
    ),
    '',
    `VMs: ${found.vm_names.join(', ') || 'none'}`,
  ];
  context.output.result(found, text.join('\n'));
}

async function remove(context: CommandContext, id: string): Promise<void> {
  await context.api.delete(`/targets/${encodeURIComponent(id)}`);
  context.output.result({ target_id: id, removed: true }, `removed target ${id}`);
}

/** Adds `ascend target …`. */
export function addTargets(program: Command, run: Run): void {
  const target = program.command('target').description('platform endpoints that VMs can be restored to');
  target
    .command('add <id>')
    .description('add a target')
    .requiredOption('--platform <platform>', 'which connector')
    .requiredOption(
      '--connection <json|file>',
      "the platform's connection settings: inline JSON or a JSON file",
    )
    .option('--name <name>', 'default: the id')
    .option('--secret <name=ref>', 'secret as env:NAME or file:/path (repeatable)', collect, [])
    .option('--agent <id>', 'agent that may serve this target (repeatable)', collect, [])
    .action((id: string, options: AddOptions) => run((context) => add(context, id, options)));
  target
    .command('list')
    .description('list targets')
    .action(() => run(list));
  const one = (
    name: string,
    about: string,
    work: (context: CommandContext, id: string) => Promise<void>,
  ): void => {
    target
      .command(`${name} <id>`)
      .description(about)
      .action((id: string) => run((context) => work(context, id)));
  };
  one('show', 'one target, without its secrets', show);
  one('check', 'credentials, version and permissions, tried by an agent', check);
  one('inventory', 'storages, networks and VMs as they are now', inventory);
  one('remove', 'forget a target; nothing on the platform is touched', remove);
}
