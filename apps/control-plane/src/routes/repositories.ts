import { createRoute } from '@hono/zod-openapi';
import { AppError, hasCode } from '@ascend/errors';
import {
  repositoryListSchema,
  repositoryRequestSchema,
  repositorySchema,
  repositoryUpdateSchema,
} from '@ascend/protocol';
import {
  getRepository,
  listRepositories,
  putRepository,
  removeRepository,
  type RepositoryRow,
  type Session,
} from '@ascend/store';
import { z } from 'zod';
import { answers, answersNothing, body, creates, type Api } from '../http/api.ts';
import { presentRepository } from '../presenters/estate.ts';

const tags = ['repositories'];
const path = z.object({ id: z.string().min(1).max(64) });

function toRow(id: string, request: z.infer<typeof repositoryUpdateSchema>): RepositoryRow {
  return {
    id,
    name: request.name,
    type: request.type,
    siteId: request.site_id,
    roots: request.roots.map((root) => ({ agentId: root.agent_id, rootPath: root.root_path })),
  };
}

async function exists(db: Session, id: string): Promise<boolean> {
  try {
    await getRepository(db, id);
    return true;
  } catch (error) {
    if (hasCode(error, 'CATALOG_REPOSITORY_UNKNOWN')) return false;
    throw error;
  }
}

function addReads(api: Api, db: Session): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/repositories',
    tags,
    responses: answers(repositoryListSchema, 'All repositories with their roots'),
  });
  api.openapi(list, async (c) =>
    c.json({ repositories: (await listRepositories(db)).map(presentRepository) }, 200),
  );
  const one = createRoute({
    method: 'get',
    path: '/api/v1/repositories/{id}',
    tags,
    request: { params: path },
    responses: answers(repositorySchema, 'One repository'),
  });
  api.openapi(one, async (c) =>
    c.json(presentRepository(await getRepository(db, c.req.valid('param').id)), 200),
  );
}

function addWrites(api: Api, db: Session): void {
  const create = createRoute({
    method: 'post',
    path: '/api/v1/repositories',
    tags,
    request: body(repositoryRequestSchema),
    responses: creates(repositorySchema, 'The repository is known now'),
  });
  api.openapi(create, async (c) => {
    const { id, ...request } = c.req.valid('json');
    if (await exists(db, id)) {
      throw new AppError({ code: 'API_ID_TAKEN', message: `add repository ${id}: it exists already` });
    }
    await putRepository(db, toRow(id, request));
    return c.json(presentRepository(await getRepository(db, id)), 201);
  });
  const update = createRoute({
    method: 'put',
    path: '/api/v1/repositories/{id}',
    tags,
    request: { params: path, ...body(repositoryUpdateSchema) },
    responses: answers(repositorySchema, 'Name, type, site and roots are replaced'),
  });
  api.openapi(update, async (c) => {
    const { id } = c.req.valid('param');
    await getRepository(db, id);
    await putRepository(db, toRow(id, c.req.valid('json')));
    return c.json(presentRepository(await getRepository(db, id)), 200);
  });
  const remove = createRoute({
    method: 'delete',
    path: '/api/v1/repositories/{id}',
    tags,
    request: { params: path },
    responses: answersNothing,
  });
  api.openapi(remove, async (c) => {
    await removeRepository(db, c.req.valid('param').id);
    return c.body(null, 204);
  });
}

/** `repositories`: where chains lie, with the root folder at each agent. */
export function addRepositoryRoutes(api: Api, db: Session): void {
  addReads(api, db);
  addWrites(api, db);
}
