import { createRoute } from '@hono/zod-openapi';
import type { AgentView, ScannedImage, ScannedRepository } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import {
  catalogAddAnswerSchema,
  catalogAddRequestSchema,
  catalogChangeSchema,
  catalogScanRequestSchema,
  catalogSyncRequestSchema,
  type CatalogAddRequest,
  type CatalogChange,
} from '@ascend/protocol';
import { readSecretReference, type Clock } from '@ascend/runtime';
import {
  addRestorePoint,
  createDatabase,
  getRepository,
  syncFrom,
  upsertScanned,
  type AddedDisk,
  type CatalogueChange,
  type Session,
} from '@ascend/store';
import { longDeadlineMs, repositoryAgent, shortDeadlineMs, type AskAgent } from '../agents/agentAsk.ts';
import { answers, body, creates, type Api } from '../http/api.ts';

/** What the catalogue routes read and write. */
export interface CatalogDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string>>;
  readonly ask: AskAgent;
  agents(): Promise<readonly AgentView[]>;
}

const tags = ['catalog'];

function presentChange(
  change: CatalogueChange,
  told: Pick<CatalogChange, 'skipped' | 'remarks'> = { skipped: [], remarks: [] },
): CatalogChange {
  const { contexts, backups, disks, removed } = change;
  return { contexts, backups, disks, removed, ...told };
}

function presentFile({ relPath, code, reason }: ScannedRepository['skipped'][number]) {
  return { path: relPath, code, reason };
}

function addScan(api: Api, deps: CatalogDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/catalog/scan',
    tags,
    request: body(catalogScanRequestSchema),
    responses: answers(catalogChangeSchema, 'What the folder told; repeating changes nothing'),
  });
  api.openapi(route, async (c) => {
    const { repository_id: repositoryId, agent_id: wanted } = c.req.valid('json');
    await getRepository(deps.db, repositoryId);
    const { agent, rootPath } = repositoryAgent(await deps.agents(), repositoryId, wanted);
    const scan = await deps.ask(agent, 'scan', { rootPath }, longDeadlineMs);
    const change = await upsertScanned(deps.db, { scan, repositoryId });
    // Agents of an earlier version make no remarks.
    const remarks = (scan.remarks ?? []).map(presentFile);
    c.set('auditSubject', `repository ${repositoryId}`);
    return c.json(presentChange(change, { skipped: scan.skipped.map(presentFile), remarks }), 200);
  });
}

/** The disk to register. `raw` may be claimed of anything; every other format must be what the file shows. */
function addedDisk(given: CatalogAddRequest['disks'][number], image: ScannedImage | undefined): AddedDisk {
  if (image === undefined) {
    const message = `add ${given.path}: the agent does not see this file`;
    throw new AppError({ code: 'API_INPUT_INVALID', message, details: { path: given.path } });
  }
  const format = given.format ?? image.format;
  if (format !== image.format && format !== 'raw') {
    const message = `add ${given.path}: it was said to be ${format}, but looks like ${image.format}`;
    throw new AppError({ code: 'API_INPUT_INVALID', message, details: { path: given.path } });
  }
  const virtualSizeBytes = format === image.format ? image.virtualSizeBytes : image.fileSizeBytes;
  return { path: image.relPath, format, virtualSizeBytes, fileSizeBytes: image.fileSizeBytes };
}

function addAdd(api: Api, deps: CatalogDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/catalog/add',
    tags,
    request: body(catalogAddRequestSchema),
    responses: creates(catalogAddAnswerSchema, 'The files are a restore point now'),
  });
  api.openapi(route, async (c) => {
    const request = c.req.valid('json');
    const { repository_id: repositoryId, vm_name: vmName } = request;
    await getRepository(deps.db, repositoryId);
    const { agent, rootPath } = repositoryAgent(await deps.agents(), repositoryId, request.agent_id);
    const paths = request.disks.map((disk) => disk.path);
    const images = await deps.ask(agent, 'probe-images', { rootPath, paths }, shortDeadlineMs);
    const disks = request.disks.map((disk, index) => addedDisk(disk, images[index]));
    const newestMs = Math.max(...images.map((image) => image.mtimeMs));
    const createdAtMs = request.created_at === undefined ? newestMs : Date.parse(request.created_at);
    const backupId = await addRestorePoint(deps.db, { repositoryId, vmName, disks, createdAtMs });
    c.set('auditSubject', `backup ${backupId}`);
    return c.json({ backup_id: backupId }, 201);
  });
}

/** What a driver says about a URL may hold the password, so only coded errors go out. */
function withoutUrl(error: unknown): AppError {
  if (isAppError(error)) return error;
  return new AppError({
    code: 'CATALOG_SOURCE_UNREADABLE',
    message: 'synchronise catalogue: the source does not hold the URL of a database that can be opened',
  });
}

function addSync(api: Api, deps: CatalogDeps): void {
  const route = createRoute({
    method: 'post',
    path: '/api/v1/catalog/sync',
    tags,
    request: body(catalogSyncRequestSchema),
    responses: answers(catalogChangeSchema, 'What differs from the other catalogue was taken over'),
  });
  api.openapi(route, async (c) => {
    const { source: reference, repositories } = c.req.valid('json');
    const url = readSecretReference(reference, deps.environment);
    c.set('auditSubject', reference);
    try {
      const source = createDatabase({ url: url.reveal(), connectionLimit: 2 });
      try {
        return c.json(presentChange(await syncFrom(deps.db, { source, repositories })), 200);
      } finally {
        await source.close();
      }
    } catch (error) {
      throw withoutUrl(error);
    }
  });
}

/** `catalog/scan`, `catalog/add`, `catalog/sync`. */
export function addCatalogRoutes(api: Api, deps: CatalogDeps): void {
  addScan(api, deps);
  addAdd(api, deps);
  addSync(api, deps);
}
