import {
  factsVersion,
  lockedVolumes,
  type AgentView,
  type RestorePoint,
  type RestorePointDisk,
  type RestorePointFacts,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { restorePointObstacle } from '@ascend/store';
import { longDeadlineMs, type AskAgent } from '../agents/agentAsk.ts';
import { pickAgent } from '../agents/pickAgent.ts';

/** What is needed to know a restore point. */
export interface PointFactsDeps {
  readonly ask: AskAgent;
  agents(): Promise<readonly AgentView[]>;
  read(backupId: string): Promise<RestorePointFacts | null>;
  write(facts: RestorePointFacts, agentId: string): Promise<void>;
}

/** The facts of a restore point without the disks that are left out. */
export type ReadPointFacts = (
  point: RestorePoint,
  excludeDisks: readonly number[],
) => Promise<RestorePointFacts>;

/** Disks to look at: what is left out or did not complete says nothing about the VM to be. */
function disksOf(point: RestorePoint, excludeDisks: readonly number[]): readonly RestorePointDisk[] {
  return point.disks.filter((disk) => disk.status === 'completed' && !excludeDisks.includes(disk.diskIndex));
}

function isAboutSame(facts: RestorePointFacts, disks: readonly RestorePointDisk[]): boolean {
  const known = facts.disks.map((disk) => disk.diskIndex).toSorted((a, b) => a - b);
  const wanted = disks.map((disk) => disk.diskIndex).toSorted((a, b) => a - b);
  return known.length === wanted.length && known.every((index, position) => index === wanted[position]);
}

function hasRepository(agents: readonly AgentView[], repositoryId: string): boolean {
  return agents.some((agent) => agent.online && Object.hasOwn(agent.repositories, repositoryId));
}

/** An appliance or a key may have come since: the same backup shows more now. */
function isComplete({ version, guest }: RestorePointFacts): boolean {
  const locked = guest.root === null && lockedVolumes(guest).length > 0;
  return version === factsVersion && guest.applianceProblem === undefined && !locked;
}

function unanswered(point: RestorePoint): never {
  const message = `analyse ${point.backupId}: the agent says "as known", but nothing is known`;
  throw new AppError({ code: 'INTERNAL_BUG', message });
}

/**
 * An agent beside the repository compares the fingerprint each time, which reads a few headers; only a changed or unknown
 * point, one that an older version looked at, or one that could not be looked into for want of a key or an appliance, is analysed in full. With no such agent online the stored facts must do: the planner then says what is missing.
 */
async function readOrAnalyze(
  deps: PointFactsDeps,
  point: RestorePoint,
  excludeDisks: readonly number[],
): Promise<RestorePointFacts> {
  const { backupId, repositoryId } = point;
  const disks = disksOf(point, excludeDisks);
  const agents = await deps.agents();
  const found = await deps.read(backupId);
  const stored = found !== null && isAboutSame(found, disks) ? found : null;
  if (stored !== null && !hasRepository(agents, repositoryId)) return stored;
  const agent = pickAgent(agents, { repositoryId });
  const request = {
    knownFingerprint: stored !== null && isComplete(stored) ? stored.fingerprint : null,
    backupId,
    rootPath: agent.repositories[repositoryId] ?? '',
    disks: disks.map(({ diskIndex, path, format }) => ({ diskIndex, path, format })),
  };
  const facts = await deps.ask(agent, 'analyze', request, longDeadlineMs);
  if (facts !== null) await deps.write(facts, agent.agentId);
  return facts ?? stored ?? unanswered(point);
}

/** A backup that is no restore point at all is refused before an agent opens it; a single bad disk is for the planner to tell. */
function refuseUnusable(point: RestorePoint, excludeDisks: readonly number[]): void {
  const obstacle = restorePointObstacle(point);
  if (obstacle === null) return;
  const isForPlanner = obstacle.code === 'CATALOG_DISK_NOT_COMPLETED' || obstacle.code === 'CATALOG_DISK_GAP';
  if (!isForPlanner || disksOf(point, excludeDisks).length === 0) throw obstacle;
}

/**
 * Creates the reader. An analysis takes minutes, so callers that want the same one at the same time share it.
 *
 * @throws {AppError} CATALOG_*, PLAN_AGENT_MISSING, PLAN_AGENT_OFFLINE, and what the agent says about a damaged chain
 */
export function createPointFactsReader(deps: PointFactsDeps): ReadPointFacts {
  const inProgress = new Map<string, Promise<RestorePointFacts>>();
  return async (point, excludeDisks) => {
    refuseUnusable(point, excludeDisks);
    const key = JSON.stringify([point.backupId, [...excludeDisks].toSorted((a, b) => a - b)]);
    const running = inProgress.get(key);
    if (running !== undefined) return running;
    const reading = readOrAnalyze(deps, point, excludeDisks);
    inProgress.set(key, reading);
    try {
      return await reading;
    } finally {
      inProgress.delete(key);
    }
  };
}
