/** Work that runs in parallel and is handed on in the order it came. */
export interface OrderedQueue<T> {
  /** Settles once the item was handed on; rejected with the cause of `stop`. */
  push(item: T): Promise<void>;
  /** Waits until everything pushed so far was handed on. */
  idle(): Promise<void>;
  /** Rejects all that waits and everything pushed later; the first cause stays. */
  stop(cause: unknown): void;
}

/** How a queue works. */
export interface OrderedQueueParams<T, R> {
  /** Items worked on at a time. */
  readonly parallel: number;
  /** Items that are started but not handed on, at most: the bound on results in memory. */
  readonly window: number;
  readonly work: (item: T) => Promise<R>;
  /** Called for one item at a time, in order. */
  readonly emit: (item: T, result: R) => Promise<void>;
}

interface Entry<T, R> {
  readonly item: T;
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
  result: { readonly value: R } | null;
}

interface QueueState<T, R> {
  readonly waiting: Entry<T, R>[];
  /** In order; the first is the next to be handed on. */
  readonly started: Entry<T, R>[];
  running: number;
  emitting: boolean;
  stopped: { readonly cause: unknown } | null;
}

function stopQueue<T, R>(state: QueueState<T, R>, cause: unknown): void {
  if (state.stopped !== null) return;
  state.stopped = { cause };
  for (const entry of [...state.started.splice(0), ...state.waiting.splice(0)]) entry.reject(cause);
}

function startWaiting<T, R>(state: QueueState<T, R>, params: OrderedQueueParams<T, R>): void {
  while (state.running < params.parallel && state.started.length < params.window) {
    const entry = state.waiting.shift();
    if (entry === undefined) return;
    state.started.push(entry);
    void workOn(state, params, entry);
  }
}

async function workOn<T, R>(
  state: QueueState<T, R>,
  params: OrderedQueueParams<T, R>,
  entry: Entry<T, R>,
): Promise<void> {
  state.running += 1;
  try {
    entry.result = { value: await params.work(entry.item) };
  } catch (cause) {
    stopQueue(state, cause);
  }
  state.running -= 1;
  startWaiting(state, params);
  await emitReady(state, params);
}

async function emitReady<T, R>(state: QueueState<T, R>, params: OrderedQueueParams<T, R>): Promise<void> {
  if (state.emitting) return;
  state.emitting = true;
  for (let head = state.started[0]; head?.result; head = state.started[0]) {
    try {
      await params.emit(head.item, head.result.value);
    } catch (cause) {
      stopQueue(state, cause);
    }
    // A stop in between has rejected it and emptied the list.
    if (state.started[0] === head) state.started.shift();
    head.resolve();
    startWaiting(state, params);
  }
  state.emitting = false;
}

/** A queue whose first failure, in work or handing on, ends it. */
export function createOrderedQueue<T, R>(params: OrderedQueueParams<T, R>): OrderedQueue<T> {
  const state: QueueState<T, R> = { waiting: [], started: [], running: 0, emitting: false, stopped: null };
  let last = Promise.resolve();
  return {
    push: (item) => {
      if (state.stopped !== null) return Promise.reject(state.stopped.cause);
      const pushed = new Promise<void>((resolve, reject) => {
        state.waiting.push({ item, resolve, reject, result: null });
      });
      // Whoever pushed sees the failure; `idle` looks at `stopped`.
      last = pushed.catch(() => undefined);
      startWaiting(state, params);
      return pushed;
    },
    idle: async () => {
      await last;
      if (state.stopped !== null) throw state.stopped.cause;
    },
    stop: (cause) => stopQueue(state, cause),
  };
}
