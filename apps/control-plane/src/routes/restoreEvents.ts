import { createRoute } from '@hono/zod-openapi';
import { AppError } from '@ascend/errors';
import { planSchema, restoreReportSchema, toSnake, type RestoreEvent } from '@ascend/protocol';
import type { StepProgress } from '@ascend/domain';
import type { Clock, Logger } from '@ascend/runtime';
import { readEvents, readReport, readRestore, type JobEvent, type Session } from '@ascend/store';
import { z } from 'zod';
import { streamRestore } from '../events/restoreStream.ts';
import { answers, type Api } from '../http/api.ts';
import { answerEventStream } from '../http/eventStream.ts';
import { presentRestore } from '../presenters/restores.ts';
import { presentTime } from '../presenters/time.ts';

/** What event stream and report are made from. */
export interface RestoreEventDeps {
  readonly db: Session;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Fires when the process is about to stop: streams end, clients come back to another replica. */
  readonly stopping: AbortSignal;
  progressOf(jobId: string): ReadonlyMap<string, StepProgress>;
}

const path = z.object({ id: z.string().min(1).max(64) });
const eventHeaders = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
});

function presentJobEvent(event: JobEvent): RestoreEvent {
  return { seq: event.seq, type: event.type, at: presentTime(event.at), data: event.data };
}

const endStates = new Set(['completed', 'failed', 'cancelled', 'rolled_back']);

function addEvents(api: Api, deps: RestoreEventDeps): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/restores/{id}/events',
    tags: ['restores'],
    request: { params: path, headers: eventHeaders },
    responses: {
      200: {
        description: 'Snapshot, stored events with their number as id, volatile progress without id',
        content: { 'text/event-stream': { schema: z.string() } },
      },
      204: { description: 'The restore has ended and nothing came after Last-Event-ID: do not come back' },
    },
  });
  api.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const given = c.req.valid('header')['last-event-id'];
    const afterSeq = given === undefined ? null : Number(given);
    const snapshot = async () => presentRestore(await readRestore(deps.db, id), deps.progressOf(id));
    const now = await snapshot();
    if (afterSeq !== null && afterSeq >= now.last_event_seq && endStates.has(now.state)) {
      return c.body(null, 204);
    }
    const source = {
      clock: deps.clock,
      snapshot,
      eventsAfter: async (seq: number, limit: number) =>
        (await readEvents(deps.db, { jobId: id, afterSeq: seq, limit })).map(presentJobEvent),
      progress: () => deps.progressOf(id),
    };
    return answerEventStream(
      c,
      deps.stopping,
      (writer, signal) => streamRestore(source, writer, afterSeq, signal),
      (error) => deps.logger.warn('event stream broke', { jobId: id, error }),
    );
  });
}

function addReport(api: Api, deps: RestoreEventDeps): void {
  const route = createRoute({
    method: 'get',
    path: '/api/v1/restores/{id}/report',
    tags: ['restores'],
    request: { params: path },
    responses: answers(restoreReportSchema, 'Planned and measured, findings, evidence'),
  });
  api.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const row = await readReport(deps.db, id);
    const plan = planSchema.safeParse(row.plan);
    if (!plan.success) {
      const message = `report restore ${id}: its stored plan is of another version`;
      throw new AppError({ code: 'INTERNAL_BUG', message, cause: plan.error });
    }
    const restore = presentRestore(await readRestore(deps.db, id), deps.progressOf(id));
    return c.json({ restore, plan: toSnake(planSchema, plan.data), report: row.report }, 200);
  });
}

/** `restores/{id}/events` and `restores/{id}/report`. */
export function addRestoreEventRoutes(api: Api, deps: RestoreEventDeps): void {
  addEvents(api, deps);
  addReport(api, deps);
}
