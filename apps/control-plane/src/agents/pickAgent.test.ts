import type { AgentView } from '@ascend/domain';
import { hasCode } from '@ascend/errors';
import { expect, test } from 'vitest';
import { agentView } from '../testing/views.ts';
import { pickAgent } from './pickAgent.ts';

const near: AgentView = agentView({ agentId: 'near', repositories: { r1: '/r1' }, targets: ['t1'] });
const far: AgentView = agentView({ agentId: 'far', repositories: { r1: '/mnt/r1' } });
const asleep: AgentView = agentView({
  agentId: 'asleep',
  online: false,
  repositories: { r2: '/r2' },
  lastSeenAt: '2026-11-21T00:00:00Z',
});
const agents = [asleep, near, far];

test('the first online agent that reaches it is taken, the preferred one before', () => {
  expect(pickAgent(agents, { repositoryId: 'r1' }).agentId).toBe('near');
  expect(pickAgent(agents, { repositoryId: 'r1' }, 'far').agentId).toBe('far');
  expect(pickAgent(agents, { targetId: 't1' }, 'far').agentId).toBe('near');
});

test('no agent and only sleeping agents are told apart, with names', () => {
  expect(() => pickAgent(agents, { targetId: 't9' })).toThrow(
    expect.toSatisfy((error) => hasCode(error, 'PLAN_AGENT_MISSING')),
  );
  expect(() => pickAgent(agents, { repositoryId: 'r2' })).toThrow(
    expect.objectContaining({
      code: 'PLAN_AGENT_OFFLINE',
      details: { repositoryId: 'r2', offline: ['asleep (last seen 2026-11-21T00:00:00Z)'] },
    }),
  );
});
