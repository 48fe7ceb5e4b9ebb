import type { AgentFacts, AgentServiceFacts, GuestFacts, GuestNeeds } from '@ascend/domain';
import { asidePath, type GuestEdit } from './guestEdit.ts';
import { guestFinding, joinPlans, nothingPlanned, type PlannedEdits } from './planFinding.ts';

const localUnits = 'etc/systemd/system';

function unitName(service: AgentServiceFacts): string {
  return service.kind === 'systemd' ? service.name : `${service.name}.service`;
}

/** systemd also makes units of init scripts, so masking a name holds for both. */
function switchOff(service: AgentServiceFacts, id: string, guest: GuestFacts): readonly GuestEdit[] {
  const reason = `${id} belongs to another hypervisor; ${service.name} would fail or wait on the target`;
  if (guest.linux?.init === 'sysv') {
    return [{ kind: 'set-aside', path: service.path, to: asidePath(service.path), reason }];
  }
  if (service.state === 'masked') return [];
  const mask = `${localUnits}/${unitName(service)}`;
  const link: GuestEdit = { kind: 'make-link', path: mask, target: '/dev/null', reason };
  if (service.path !== mask) return [link];
  return [{ kind: 'set-aside', path: mask, to: asidePath(mask), reason }, link];
}

function planForeign(agent: AgentFacts, guest: GuestFacts): PlannedEdits {
  const edits = agent.services.flatMap((service) => switchOff(service, agent.id, guest));
  if (edits.length === 0) return nothingPlanned;
  const finding = guestFinding({
    code: 'GUEST_AGENT_FOREIGN',
    severity: 'fixed',
    message: `${agent.id} is installed and does not belong on the target`,
    evidence: agent.services.map((service) => `${service.name} (${service.state})`).join(', '),
    action: 'its services are switched off on the overlay; it stays installed',
  });
  return { edits, findings: [finding] };
}

function switchOn(service: AgentServiceFacts, id: string): readonly GuestEdit[] {
  const reason = `${id} is the agent of the target and is switched off`;
  const mask = `${localUnits}/${service.name}`;
  const unmask: readonly GuestEdit[] =
    service.state === 'masked' ? [{ kind: 'set-aside', path: mask, to: asidePath(mask), reason }] : [];
  const links = service.wantedBy.map((target): GuestEdit => ({
    kind: 'make-link',
    path: `${localUnits}/${target}.wants/${service.name}`,
    target: `/${service.path}`,
    reason,
  }));
  return [...unmask, ...links];
}

function isOff(service: AgentServiceFacts): boolean {
  return service.kind === 'systemd' && (service.state === 'disabled' || service.state === 'masked');
}

function planOwn(agent: AgentFacts): PlannedEdits {
  const off = agent.services.filter(isOff);
  const edits = off.flatMap((service) => switchOn(service, agent.id));
  if (edits.length === 0) return nothingPlanned;
  const finding = guestFinding({
    code: 'GUEST_AGENT_OFF',
    severity: 'fixed',
    message: `${agent.id} is installed but switched off`,
    evidence: off.map((service) => `${service.name} (${service.state})`).join(', '),
    action: 'its services are switched on on the overlay',
  });
  return { edits, findings: [finding] };
}

/** Plans that agents of other hypervisors rest and the target's own agent runs, where they are installed. */
export function planAgents(guest: GuestFacts, needs: GuestNeeds): PlannedEdits {
  const { enable, disable } = needs.agents ?? { enable: [], disable: [] };
  const agents = guest.linux?.agents ?? [];
  return joinPlans([
    ...agents.filter(({ id }) => disable.includes(id)).map((agent) => planForeign(agent, guest)),
    ...agents.filter(({ id }) => enable.includes(id)).map(planOwn),
  ]);
}
