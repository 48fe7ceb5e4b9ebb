import type { Logger } from '@ascend/runtime';
import { createApi, type Api } from './http/api.ts';
import { answerErrors, usePipeline, type PipelineDeps } from './http/middleware.ts';
import { addAgentRoutes, type AgentDeps } from './routes/agents.ts';
import { addBackupRoutes, type BackupDeps } from './routes/backups.ts';
import { addBandwidthRoutes, type BandwidthDeps } from './routes/bandwidth.ts';
import { addCatalogRoutes, type CatalogDeps } from './routes/catalog.ts';
import { addRepositoryRoutes } from './routes/repositories.ts';
import { addRestoreEventRoutes, type RestoreEventDeps } from './routes/restoreEvents.ts';
import { addRestoreRoutes, type RestoreDeps } from './routes/restores.ts';
import { addSystemRoutes, type SystemDeps } from './routes/system.ts';
import { addTargetRoutes, type TargetDeps } from './routes/targets.ts';

/** Everything the API is made of. */
export type AppDeps = PipelineDeps &
  BackupDeps &
  CatalogDeps &
  AgentDeps &
  BandwidthDeps &
  TargetDeps &
  RestoreDeps &
  RestoreEventDeps &
  SystemDeps & { readonly logger: Logger };

/** The whole API; nothing listens yet. */
export function createApp(deps: AppDeps): Api {
  const api = createApi();
  usePipeline(api, deps);
  addSystemRoutes(api, deps);
  addBackupRoutes(api, deps);
  addCatalogRoutes(api, deps);
  addRepositoryRoutes(api, deps.db);
  addAgentRoutes(api, deps);
  addTargetRoutes(api, deps);
  addRestoreRoutes(api, deps);
  addRestoreEventRoutes(api, deps);
  addBandwidthRoutes(api, deps);
  answerErrors(api, deps.logger);
  return api;
}
