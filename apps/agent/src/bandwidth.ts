import { createBandwidthLimiter, type BandwidthLimiter } from '@ascend/disk/bandwidth';
import type { BandwidthCap, BandwidthOrders } from '@ascend/protocol';

/** The cap of one operation's disk stream. */
interface StreamCap {
  readonly limiter: BandwidthLimiter;
  /** The operation has ended. Idempotent. */
  close(): void;
}

/** All bandwidth caps of this agent. Changes reach transfers that run within 200 ms. */
export interface BandwidthCaps {
  /** Holds all transfers together. */
  readonly all: BandwidthLimiter;
  /**
   * The cap of an operation that starts. `planned`: bytes per second of the plan's policy, null = none; counts unless
   * an operator set another one, in `ordered` (from the command) or by `limitJob`.
   */
  open(jobId: string, planned: number | null, ordered: BandwidthCap | undefined): StreamCap;
  /** Caps the whole agent. A cap that is not newer than the one in effect changes nothing. */
  limitAgent(cap: BandwidthCap): void;
  /** Caps each disk stream of a job, also of operations that start later. A cap that is not newer changes nothing. */
  limitJob(jobId: string, cap: BandwidthCap): void;
  /** Takes what `hello` answered. */
  apply(orders: BandwidthOrders): void;
}

// Commands and `hello` tell the cap of a job again: what is forgotten here is the order for a job that is long over.
const rememberedJobs = 1000;

/** Makes the caps of an agent; `configured` is the one of its own settings (bytes per second), null = none. */
export function createBandwidthCaps(configured: number | null): BandwidthCaps {
  const all = createBandwidthLimiter(configured);
  let agentRevision = -1;
  const orders = new Map<string, BandwidthCap>();
  const streams = new Map<string, Set<BandwidthLimiter>>();

  const forgetOldest = (): void => {
    for (const jobId of orders.keys()) {
      if (orders.size <= rememberedJobs) return;
      if (!streams.has(jobId)) orders.delete(jobId);
    }
  };
  const limitJob = (jobId: string, cap: BandwidthCap): void => {
    if ((orders.get(jobId)?.revision ?? -1) >= cap.revision) return;
    orders.set(jobId, cap);
    for (const limiter of streams.get(jobId) ?? []) limiter.setRate(cap.bytesPerSecond);
    forgetOldest();
  };
  const limitAgent = (cap: BandwidthCap): void => {
    if (agentRevision >= cap.revision) return;
    agentRevision = cap.revision;
    all.setRate(cap.bytesPerSecond);
  };

  return {
    all,
    limitAgent,
    limitJob,
    open: (jobId, planned, ordered) => {
      if (ordered !== undefined) limitJob(jobId, ordered);
      const order = orders.get(jobId);
      const limiter = createBandwidthLimiter(order === undefined ? planned : order.bytesPerSecond);
      const siblings = streams.get(jobId) ?? new Set();
      streams.set(jobId, siblings.add(limiter));
      return {
        limiter,
        close: () => {
          siblings.delete(limiter);
          if (siblings.size === 0 && streams.get(jobId) === siblings) streams.delete(jobId);
        },
      };
    },
    apply: ({ agent, jobs }) => {
      if (agent !== null) limitAgent(agent);
      for (const [jobId, cap] of Object.entries(jobs)) limitJob(jobId, cap);
    },
  };
}
