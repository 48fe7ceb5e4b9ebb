import type { RestoreJob } from '@ascend/domain';
import type { EventEffect } from './effect.ts';

/** The history lines that lead from one version of a job to the next: ledger, then steps, then the job itself. */
export function changesBetween(before: RestoreJob, after: RestoreJob): readonly EventEffect[] {
  const events: EventEffect[] = [];
  const rows = new Map(before.ledger.map((row) => [`${row.stepKey} ${row.resourceKey}`, row.state]));
  for (const row of after.ledger) {
    if (rows.get(`${row.stepKey} ${row.resourceKey}`) !== row.state) {
      const { stepKey, resourceKey, name, state } = row;
      events.push({ type: 'event', event: 'ledger-state', data: { stepKey, resourceKey, name, state } });
    }
  }
  const steps = new Map(before.steps.map((step) => [step.key, step]));
  for (const step of after.steps) {
    const old = steps.get(step.key);
    if (old?.state !== step.state || old.attempt !== step.attempt) {
      events.push({
        type: 'event',
        event: 'step-state',
        data: {
          stepKey: step.key,
          state: step.state,
          attempt: step.attempt,
          errorCode: step.error?.code ?? null,
          notBeforeMs: step.notBeforeMs,
        },
      });
    }
  }
  if (before.state !== after.state) {
    events.push({
      type: 'event',
      event: 'job-state',
      data: { state: after.state, errorCode: after.error?.code ?? null },
    });
  }
  return events;
}
