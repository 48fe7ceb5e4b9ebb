import { stepEventSchema, type StepEvent } from '@ascend/protocol';
import type { Clock } from '@ascend/runtime';
import { eventBase, resultEvent, type OpHead, type OpResult } from './events.ts';
import { openStore, type Store } from './store.ts';

/** One operation as the ledger knows it. */
interface OpRecord {
  readonly state: 'accepted' | 'running' | 'finished';
  readonly checkpoint: unknown;
}

/** A resource this agent made or removed, whatever the control plane knew when it sent the command. */
export interface ResourceFact {
  readonly stepKey: string;
  readonly resourceKey: string;
  readonly state: 'present' | 'gone';
  readonly token: unknown;
}

/**
 * What this agent did, durable (fsync on every change) before anybody hears of it (D6). Every change of an operation
 * and the event about it are one transaction.
 */
export interface OpLedger {
  find(opId: string): OpRecord | null;
  /** Highest epoch that outranks an operation of this step; 0 = none. */
  highestEpoch(jobId: string, stepKey: string, mode: 'run' | 'undo'): number;
  /** Takes an operation in, raises the fence, queues `accepted`. An undo fences all runs of its job. Idempotent. */
  accept(head: OpHead, mode: 'run' | 'undo'): void;
  running(head: OpHead): void;
  checkpoint(head: OpHead, data: unknown): void;
  present(head: OpHead, resourceKey: string, token: unknown): void;
  /** `ownerStepKey`: the step that made the resource, when it is another one. */
  gone(head: OpHead, resourceKey: string, ownerStepKey?: string): void;
  resources(jobId: string): readonly ResourceFact[];
  /** Stores the result and queues its event; the first result stays. */
  finish(head: OpHead, result: OpResult): void;
  /** Queues the stored result of a finished operation once more. */
  repeat(opId: string): void;
  /** Ends an operation that is no longer wanted, without a result. Of its unsent events only facts about resources stay. */
  forget(opId: string): void;
  openOps(): readonly OpHead[];
  nextEvent(): { readonly seq: number; readonly event: StepEvent } | null;
  sent(seq: number): void;
  /** Puts another event in the place of one that cannot be sent. */
  replace(seq: number, event: StepEvent): void;
  /** Removes what ended more than `ageMs` ago. */
  prune(ageMs: number): void;
  /** Called after each change that queued an event. */
  onQueued(listener: () => void): void;
  close(): void;
}

function parse(value: unknown): unknown {
  return typeof value === 'string' ? JSON.parse(value) : null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Queues an event; an unsent checkpoint of the same operation is overtaken by it. */
function queue(store: Store, event: StepEvent): void {
  const { eventId, opId, type } = event;
  if (type === 'checkpoint') store.run("DELETE FROM outgoing WHERE op_id = ? AND type = 'checkpoint'", opId);
  const sql = 'INSERT OR IGNORE INTO outgoing (event_id, op_id, type, payload) VALUES (?, ?, ?, ?)';
  store.run(sql, eventId, opId, type, JSON.stringify(event));
}

function nextNumber(store: Store, opId: string): number {
  store.run('UPDATE operations SET event_count = event_count + 1 WHERE op_id = ?', opId);
  const row = store.all('SELECT event_count FROM operations WHERE op_id = ?', opId)[0];
  return Number(row?.['event_count'] ?? 0);
}

function insertOperation(store: Store, head: OpHead, now: number): void {
  const { opId, jobId, stepKey, epoch } = head;
  const sql = `INSERT OR IGNORE INTO operations (op_id, job_id, step_key, epoch, state, created_ms, updated_ms)
    VALUES (?, ?, ?, ?, 'accepted', ?, ?)`;
  store.run(sql, opId, jobId, stepKey, epoch, now, now);
}

// No step key: a rollback outranks everything that was sent before it, whichever step it belongs to.
const wholeJob = '*';

function raiseFence(store: Store, head: OpHead, now: number): void {
  const sql = `INSERT INTO fences (job_id, step_key, epoch, updated_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET epoch = max(epoch, excluded.epoch), updated_ms = excluded.updated_ms`;
  store.run(sql, head.jobId, head.stepKey, head.epoch, now);
}

function storeResource(
  store: Store,
  key: Omit<ResourceFact, 'token'> & { jobId: string },
  token: unknown,
  now: number,
): void {
  const { jobId, stepKey, resourceKey, state } = key;
  // A removed resource keeps its token: it names what was there.
  const sql = `INSERT INTO resources (job_id, step_key, resource_key, state, token, updated_ms) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET state = excluded.state, updated_ms = excluded.updated_ms,
    token = CASE excluded.state WHEN 'gone' THEN token ELSE excluded.token END`;
  store.run(sql, jobId, stepKey, resourceKey, state, JSON.stringify(token ?? null), now);
}

type Change = (work: (now: number) => void) => void;

function createFactWriters(store: Store, change: Change) {
  const writers: Pick<OpLedger, 'checkpoint' | 'present' | 'gone'> = {
    checkpoint: (head, data) =>
      change((now) => {
        const base = eventBase(head, `checkpoint:${nextNumber(store, head.opId)}`, now);
        const value = JSON.stringify(data ?? null);
        store.run('UPDATE operations SET checkpoint = ? WHERE op_id = ?', value, head.opId);
        queue(store, { ...base, type: 'checkpoint', data });
      }),
    present: (head, resourceKey, token) =>
      change((now) => {
        const base = eventBase(head, `present:${nextNumber(store, head.opId)}`, now);
        storeResource(store, { ...base, resourceKey, state: 'present' }, token, now);
        queue(store, { ...base, type: 'ledger-present', resourceKey, token });
      }),
    gone: (head, resourceKey, ownerStepKey) =>
      change((now) => {
        const number = nextNumber(store, head.opId);
        // The event names the step that owns the row; facts count from whichever operation they come.
        const owner = { ...head, stepKey: ownerStepKey ?? head.stepKey };
        const base = eventBase(owner, `gone:${number}`, now);
        storeResource(store, { ...base, resourceKey, state: 'gone' }, null, now);
        queue(store, { ...base, type: 'ledger-gone', resourceKey });
      }),
  };
  return writers;
}

function createStateWriters(store: Store, clock: Clock, change: Change) {
  const writers: Pick<OpLedger, 'accept' | 'running' | 'finish' | 'repeat' | 'forget'> = {
    accept: (head, mode) =>
      change((now) => {
        insertOperation(store, head, now);
        raiseFence(store, head, now);
        if (mode === 'undo') raiseFence(store, { ...head, stepKey: wholeJob }, now);
        queue(store, { ...eventBase(head, 'accepted', now), type: 'accepted' });
      }),
    running: (head) => {
      const sql =
        "UPDATE operations SET state = 'running', updated_ms = ? WHERE op_id = ? AND state <> 'finished'";
      store.run(sql, clock.now(), head.opId);
    },
    finish: (head, result) =>
      change((now) => {
        insertOperation(store, head, now);
        const done = store.all("SELECT 1 FROM operations WHERE op_id = ? AND state = 'finished'", head.opId);
        if (done.length > 0) return;
        const event = resultEvent(head, result, now);
        const sql = "UPDATE operations SET state = 'finished', result = ?, updated_ms = ? WHERE op_id = ?";
        store.run(sql, JSON.stringify(event), now, head.opId);
        queue(store, event);
      }),
    repeat: (opId) =>
      change(() => {
        const row = store.all('SELECT result FROM operations WHERE op_id = ?', opId)[0];
        const event = stepEventSchema.safeParse(parse(row?.['result']));
        if (event.success) queue(store, event.data);
      }),
    forget: (opId) =>
      change((now) => {
        const sql = "UPDATE operations SET state = 'finished', result = NULL, updated_ms = ? WHERE op_id = ?";
        store.run(
          "DELETE FROM outgoing WHERE op_id = ? AND type NOT IN ('ledger-present', 'ledger-gone')",
          opId,
        );
        store.run(sql, now, opId);
      }),
  };
  return writers;
}

function createReaders(store: Store) {
  const readers: Pick<OpLedger, 'find' | 'highestEpoch' | 'resources' | 'openOps' | 'nextEvent'> = {
    find: (opId) => {
      const row = store.all('SELECT state, checkpoint FROM operations WHERE op_id = ?', opId)[0];
      if (row === undefined) return null;
      const state = row['state'] === 'finished' || row['state'] === 'running' ? row['state'] : 'accepted';
      return { state, checkpoint: parse(row['checkpoint']) };
    },
    highestEpoch: (jobId, stepKey, mode) => {
      const sql = 'SELECT max(epoch) AS epoch FROM fences WHERE job_id = ? AND step_key IN (?, ?)';
      const rows = store.all(sql, jobId, stepKey, mode === 'run' ? wholeJob : stepKey);
      return Number(rows[0]?.['epoch'] ?? 0);
    },
    resources: (jobId) =>
      store
        .all('SELECT step_key, resource_key, state, token FROM resources WHERE job_id = ?', jobId)
        .map((row) => ({
          stepKey: text(row['step_key']),
          resourceKey: text(row['resource_key']),
          state: row['state'] === 'gone' ? 'gone' : 'present',
          token: parse(row['token']),
        })),
    openOps: () =>
      store
        .all(
          "SELECT op_id, job_id, step_key, epoch FROM operations WHERE state <> 'finished' ORDER BY created_ms",
        )
        .map((row) => ({
          opId: text(row['op_id']),
          jobId: text(row['job_id']),
          stepKey: text(row['step_key']),
          epoch: Number(row['epoch']),
        })),
    nextEvent: () => {
      const row = store.all('SELECT seq, payload FROM outgoing ORDER BY seq LIMIT 1')[0];
      if (row === undefined) return null;
      return { seq: Number(row['seq']), event: stepEventSchema.parse(parse(row['payload'])) };
    },
  };
  return readers;
}

function prune(store: Store, before: number): void {
  store.run(
    `DELETE FROM operations WHERE state = 'finished' AND updated_ms < ?
     AND op_id NOT IN (SELECT op_id FROM outgoing)`,
    before,
  );
  store.run('DELETE FROM resources WHERE updated_ms < ?', before);
  store.run('DELETE FROM fences WHERE updated_ms < ?', before);
}

/**
 * Opens (or makes) the ledger at `path`. It belongs to this process until it ends.
 *
 * @throws {AppError} AGENT_LEDGER_IN_USE - another process has it open
 * @throws {AppError} AGENT_LEDGER_FAILED - no space, no permission, damaged; also from every method
 */
export function openLedger(path: string, clock: Clock): OpLedger {
  const store = openStore(path);
  const listeners = new Set<() => void>();
  const change: Change = (work) => {
    store.transaction(() => work(clock.now()));
    for (const listener of listeners) listener();
  };
  return {
    ...createReaders(store),
    ...createFactWriters(store, change),
    ...createStateWriters(store, clock, change),
    sent: (seq) => store.run('DELETE FROM outgoing WHERE seq = ?', seq),
    replace: (seq, event) => {
      const sql = 'UPDATE outgoing SET type = ?, payload = ? WHERE seq = ?';
      store.run(sql, event.type, JSON.stringify(event), seq);
    },
    prune: (ageMs) => store.transaction(() => prune(store, clock.now() - ageMs)),
    onQueued: (listener) => void listeners.add(listener),
    close: () => store.close(),
  };
}
