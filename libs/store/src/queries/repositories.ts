import { AppError } from '@ascend/errors';
import { asc, eq, inArray } from 'drizzle-orm';
import { query, type Session } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { backupRepositories, repositoryRoots } from '../schema/index.ts';
import { requireRepository } from './catalogueContexts.ts';
import { runTransaction } from '../session.ts';

/** Where one agent sees a repository. */
export interface RepositoryRoot {
  readonly agentId: string;
  readonly rootPath: string;
}

/** A repository with its root on each agent that has it. */
export interface RepositoryRow {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly siteId: string | null;
  readonly roots: readonly RepositoryRoot[];
}

async function selectRepositories(
  session: Session,
  ids?: readonly string[],
): Promise<readonly RepositoryRow[]> {
  const { id, name, type, siteId } = backupRepositories;
  const rows = await session.orm
    .select({ id, name, type, siteId })
    .from(backupRepositories)
    .where(ids === undefined ? undefined : inArray(backupRepositories.id, [...ids]))
    .orderBy(asc(backupRepositories.id));
  const roots = await session.orm.select().from(repositoryRoots).orderBy(asc(repositoryRoots.agentId));
  const byRepository = Map.groupBy(roots, (root) => root.repositoryId);
  return rows.map((row) => {
    const own = byRepository.get(row.id) ?? [];
    return Object.assign(row, { roots: own.map(({ agentId, rootPath }) => ({ agentId, rootPath })) });
  });
}

/** All repositories by id. */
export const listRepositories = query('list repositories', async (session) => selectRepositories(session));

/**
 * One repository.
 *
 * @throws {AppError} CATALOG_REPOSITORY_UNKNOWN
 */
export const getRepository = query(
  'get repository',
  async (session, repositoryId: string): Promise<RepositoryRow> => {
    const [row] = await selectRepositories(session, [repositoryId]);
    if (row !== undefined) return row;
    throw new AppError({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
      message: `get repository: no repository ${JSON.stringify(repositoryId)}`,
      details: { repositoryId },
    });
  },
);

/**
 * Makes a repository or replaces its name, type, site and all its roots; of two roots on one agent the last counts.
 *
 * @throws {AppError} STORE_SITE_UNKNOWN
 */
export const putRepository = query(
  'put repository',
  async (session, repository: RepositoryRow): Promise<void> =>
    runTransaction(session, async (tx) => {
      const { id, roots, ...values } = repository;
      try {
        await tx.orm
          .insert(backupRepositories)
          .values({ id, ...values })
          .onDuplicateKeyUpdate({ set: values });
      } catch (error) {
        throw isServerError(error, 'parentMissing') ? siteUnknown(values.siteId, 'put repository') : error;
      }
      await tx.orm.delete(repositoryRoots).where(eq(repositoryRoots.repositoryId, id));
      const byAgent = new Map(roots.map((root) => [root.agentId, root.rootPath]));
      if (byAgent.size === 0) return;
      await tx.orm
        .insert(repositoryRoots)
        .values([...byAgent].map(([agentId, rootPath]) => ({ repositoryId: id, agentId, rootPath })));
    }),
);

/**
 * Removes a repository that no VM of the catalogue is in.
 *
 * @throws {AppError} CATALOG_REPOSITORY_UNKNOWN, CATALOG_REPOSITORY_IN_USE
 */
export const removeRepository = query(
  'remove repository',
  async (session, repositoryId: string): Promise<void> => {
    await requireRepository(session, repositoryId, 'remove repository');
    try {
      await session.orm.delete(backupRepositories).where(eq(backupRepositories.id, repositoryId));
    } catch (error) {
      if (!isServerError(error, 'hasChildren')) throw error;
      throw new AppError({
        code: 'CATALOG_REPOSITORY_IN_USE',
        message: `remove repository ${repositoryId}: VMs of the catalogue are in it`,
        details: { repositoryId },
      });
    }
  },
);

/**
 * Takes the roots an agent reports for repositories that exist; others are left out. Its old roots of those
 * repositories are replaced. Returns the ids that no repository has.
 */
export const noteAgentRoots = query(
  'note agent roots',
  async (session, agentId: string, roots: Readonly<Record<string, string>>): Promise<readonly string[]> => {
    const ids = Object.keys(roots);
    if (ids.length === 0) return [];
    return runTransaction(session, async (tx) => {
      const known = await selectRepositories(tx, ids);
      for (const { id, roots: stored } of known) {
        const rootPath = roots[id] ?? '';
        // Heartbeats say the same thing again and again: only a difference is written.
        if (stored.some((root) => root.agentId === agentId && root.rootPath === rootPath)) continue;
        await tx.orm
          .insert(repositoryRoots)
          .values({ repositoryId: id, agentId, rootPath })
          .onDuplicateKeyUpdate({ set: { rootPath } });
      }
      return ids.filter((id) => known.every((row) => row.id !== id));
    });
  },
);

/** The error for a site that does not exist. */
export function siteUnknown(siteId: string | null, operation: string): AppError {
  return new AppError({
    code: 'STORE_SITE_UNKNOWN',
    message: `${operation}: no site ${JSON.stringify(siteId)}`,
    details: { siteId },
  });
}
