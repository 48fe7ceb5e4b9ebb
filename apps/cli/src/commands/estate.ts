import {
  agentLimitSchema,
  agentListSchema,
  enrollmentTokenSchema,
  repositoryListSchema,
  repositorySchema,
  siteListSchema,
  siteSchema,
} from '@ascend/protocol';
import type { Command } from 'commander';
import { formatAgentLimit, formatCap } from '../output/bandwidth.ts';
import { formatBytes, formatTable } from '../output/format.ts';
import { collect, parseBandwidth, parsePairs, readAnswer, type CommandContext } from './context.ts';

type Run = (work: (context: CommandContext) => Promise<void>) => Promise<void>;

interface RepositoryOptions {
  name?: string;
  type?: string;
  site?: string;
  root: string[];
}

async function addRepository(context: CommandContext, id: string, options: RepositoryOptions): Promise<void> {
  const roots = Object.entries(parsePairs('root', options.root)).map(([agent, root]) => ({
    agent_id: agent,
    root_path: root,
  }));
  const body = {
    id,
    name: options.name ?? id,
    roots,
    ...(options.type === undefined ? {} : { type: options.type }),
    ...(options.site === undefined ? {} : { site_id: options.site }),
  };
  const repository = readAnswer(repositorySchema, await context.api.post('/repositories', body));
  context.output.result(repository, `added repository ${repository.id}`);
}

async function listRepositories(context: CommandContext): Promise<void> {
  const answer = readAnswer(repositoryListSchema, await context.api.get('/repositories'));
  const rows = answer.repositories.map((one) => [
    one.id,
    one.type,
    one.site_id ?? '-',
    one.roots.map((root) => `${root.agent_id}:${root.root_path}`).join(' ') || '-',
  ]);
  context.output.result(answer, formatTable(['REPOSITORY', 'TYPE', 'SITE', 'ROOTS'], rows));
}

/** Adds `ascend repository …`. */
export function addRepositories(program: Command, run: Run): void {
  const repository = program.command('repository').description('where backup chains lie');
  repository
    .command('add <id>')
    .description('add a repository')
    .option('--name <name>', 'default: the id')
    .option('--type <type>', 'local, nfs, smb, block or s3')
    .option('--site <id>', 'site it belongs to')
    .option('--root <agent=path>', 'root folder as this agent sees it (repeatable)', collect, [])
    .action((id: string, options: RepositoryOptions) =>
      run((context) => addRepository(context, id, options)),
    );
  repository
    .command('list')
    .description('list repositories with their roots')
    .action(() => run(listRepositories));
}

async function listAgents(context: CommandContext): Promise<void> {
  const answer = readAnswer(agentListSchema, await context.api.get('/agents'));
  const rows = answer.agents.map((agent) => [
    agent.agent_id,
    agent.site_id,
    agent.revoked ? 'revoked' : agent.online ? 'online' : 'offline',
    agent.version,
    agent.capabilities?.qemu_version ?? '-',
    agent.capabilities === null ? '-' : agent.capabilities.kvm_works ? 'kvm' : 'tcg',
    agent.capabilities === null ? '-' : formatBytes(agent.capabilities.scratch_free_bytes),
    formatCap(agent.bandwidth.bytes_per_second),
    agent.last_seen_at ?? 'never',
  ]);
  const headings = [
    'AGENT',
    'SITE',
    'STATE',
    'VERSION',
    'QEMU',
    'ACCEL',
    'SCRATCH FREE',
    'BANDWIDTH',
    'LAST SEEN',
  ];
  context.output.result(answer, formatTable(headings, rows));
}

async function limitAgent(
  context: CommandContext,
  id: string,
  options: { bandwidth: string },
): Promise<void> {
  const path = `/agents/${encodeURIComponent(id)}/bandwidth`;
  const body = { bytes_per_second: parseBandwidth(options.bandwidth) };
  const limited = readAnswer(agentLimitSchema, await context.api.put(path, body));
  context.output.result(limited, formatAgentLimit(limited));
}

async function enroll(context: CommandContext, site: string, options: { ttl?: string }): Promise<void> {
  const ttl = options.ttl === undefined ? {} : { ttl_seconds: Number(options.ttl) };
  const token = readAnswer(
    enrollmentTokenSchema,
    await context.api.post('/enrollment-tokens', { site_id: site, ...ttl }),
  );
  context.output.result(
    token,
    `One-time token for site ${token.site_id}, valid until ${token.expires_at}:\n${token.token}\n\nGive it to the new agent in a file: node apps/agent/src/main.ts enrol --help`,
  );
}

/** Adds `ascend agent …`. */
export function addAgents(program: Command, run: Run): void {
  const agent = program.command('agent').description('edge processes beside repositories and hypervisors');
  agent
    .command('list')
    .description('list agents with what they were seen to be able to do')
    .action(() => run(listAgents));
  agent
    .command('limit <agent>')
    .description('change what all transfers of an agent together may move, at once and also while they run')
    .requiredOption('--bandwidth <size|none>', 'bytes per second, e.g. 200M, 64K or more; none = no cap')
    .action((id: string, options: { bandwidth: string }) =>
      run((context) => limitAgent(context, id, options)),
    );
  agent
    .command('enroll <site>')
    .description('make a one-time token with which one new agent of this site may enrol')
    .option('--ttl <seconds>', 'how long it is valid, default 900')
    .action((site: string, options: { ttl?: string }) => run((context) => enroll(context, site, options)));
}

async function addSite(context: CommandContext, id: string, options: { name?: string }): Promise<void> {
  const site = readAnswer(
    siteSchema,
    await context.api.post('/sites', { site_id: id, name: options.name ?? id }),
  );
  context.output.result(site, `added site ${site.site_id}`);
}

async function listSites(context: CommandContext): Promise<void> {
  const answer = readAnswer(siteListSchema, await context.api.get('/sites'));
  context.output.result(
    answer,
    formatTable(
      ['SITE', 'NAME'],
      answer.sites.map((site) => [site.site_id, site.name]),
    ),
  );
}

/** Adds `ascend site …`. */
export function addSites(program: Command, run: Run): void {
  const site = program.command('site').description('places with agents');
  site
    .command('add <id>')
    .description('add a site')
    .option('--name <name>', 'default: the id')
    .action((id: string, options: { name?: string }) => run((context) => addSite(context, id, options)));
  site
    .command('list')
    .description('list sites')
    .action(() => run(listSites));
}
