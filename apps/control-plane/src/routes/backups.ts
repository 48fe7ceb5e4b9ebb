import { createRoute } from '@hono/zod-openapi';
import {
  apiVmSpecSchema,
  backupDisksSchema,
  backupListQuerySchema,
  backupListSchema,
  backupSchema,
  backupSpecSchema,
  chainQuerySchema,
  chainSchema,
  fromSnake,
  toSnake,
  vmSpecSchema,
  type BackupSpec,
} from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { chainOf, getBackup, getVmSpec, listBackups, putVmSpec, type Session } from '@ascend/store';
import { z } from 'zod';
import { answers, body, type Api } from '../http/api.ts';
import { presentBackup, presentBackups, presentChain, presentDisks } from '../presenters/backups.ts';

/** What the backup routes read and write. */
export interface BackupDeps {
  readonly db: Session;
  readonly clock: Clock;
}

const tags = ['backups'];
const path = z.object({ id: z.string().min(1).max(64) });

function addLists(api: Api, deps: BackupDeps): void {
  const list = createRoute({
    method: 'get',
    path: '/api/v1/backups',
    tags,
    request: { query: backupListQuerySchema },
    responses: answers(backupListSchema, 'Restore points, newest first'),
  });
  api.openapi(list, async (c) => {
    const { vm_name: vmName, status, limit } = c.req.valid('query');
    const rows = await listBackups(deps.db, {
      ...(vmName === undefined ? {} : { vmName }),
      ...(status === undefined ? {} : { status }),
      ...(limit === undefined ? {} : { limit }),
    });
    return c.json(presentBackups(rows), 200);
  });
  const chain = createRoute({
    method: 'get',
    path: '/api/v1/backups/chain',
    tags,
    request: { query: chainQuerySchema },
    responses: answers(chainSchema, 'The chain of one disk: the full and its incrementals'),
  });
  api.openapi(chain, async (c) => {
    const query = c.req.valid('query');
    const found = await chainOf(deps.db, {
      ...(query.vm_name === undefined ? {} : { vmName: query.vm_name }),
      ...(query.disk_index === undefined ? {} : { diskIndex: query.disk_index }),
      ...(query.repository_id === undefined ? {} : { repositoryId: query.repository_id }),
      ...(query.backup_id === undefined ? {} : { backupId: query.backup_id }),
    });
    return c.json(presentChain(found.chainId, found.images), 200);
  });
}

function addOne(api: Api, deps: BackupDeps): void {
  const one = createRoute({
    method: 'get',
    path: '/api/v1/backups/{id}',
    tags,
    request: { params: path },
    responses: answers(backupSchema, 'One restore point'),
  });
  api.openapi(one, async (c) => {
    const row = await getBackup(deps.db, c.req.valid('param').id);
    return c.json(presentBackup(row), 200);
  });
  const disks = createRoute({
    method: 'get',
    path: '/api/v1/backups/{id}/disks',
    tags,
    request: { params: path },
    responses: answers(backupDisksSchema, 'Its disks in disk_index order'),
  });
  api.openapi(disks, async (c) =>
    c.json(presentDisks(await getBackup(deps.db, c.req.valid('param').id)), 200),
  );
}

async function readSpec(deps: BackupDeps, backupId: string): Promise<BackupSpec> {
  await getBackup(deps.db, backupId);
  const stored = await getVmSpec(deps.db, backupId);
  if (stored === null) {
    throw new AppError({
      code: 'API_SPEC_MISSING',
      message: `read VM specification of ${backupId}: nobody told one yet`,
      details: { backupId },
    });
  }
  return {
    backup_id: backupId,
    provenance: stored.provenance,
    spec: toSnake(vmSpecSchema, stored.spec),
  };
}

function addSpec(api: Api, deps: BackupDeps): void {
  const read = createRoute({
    method: 'get',
    path: '/api/v1/backups/{id}/spec',
    tags,
    request: { params: path },
    responses: answers(backupSpecSchema, 'What the VM was'),
  });
  api.openapi(read, async (c) => c.json(await readSpec(deps, c.req.valid('param').id), 200));
  const write = createRoute({
    method: 'put',
    path: '/api/v1/backups/{id}/spec',
    tags,
    request: { params: path, ...body(apiVmSpecSchema) },
    responses: answers(backupSpecSchema, "The operator's word replaces what other sources told"),
  });
  api.openapi(write, async (c) => {
    const { id } = c.req.valid('param');
    const backup = await getBackup(deps.db, id);
    await putVmSpec(deps.db, {
      backupId: id,
      spec: fromSnake(vmSpecSchema, c.req.valid('json')),
      sourcePlatform: backup.sourcePlatform,
      provenance: 'operator',
      nowMs: deps.clock.now(),
    });
    return c.json(await readSpec(deps, id), 200);
  });
}

/** `backups`, `backups/chain`, `backups/{id}`, `…/disks`, `…/spec`. */
export function addBackupRoutes(api: Api, deps: BackupDeps): void {
  addLists(api, deps);
  addOne(api, deps);
  addSpec(api, deps);
}
