import { z } from 'zod';

/** An error as it crosses the bus or the API. */
export const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  details: z.record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]),
  ),
  causes: z.array(z.string()),
});

const base = {
  v: z.literal(1),
  /** Unique per event; the inbox key and the JetStream message id. */
  eventId: z.string(),
  opId: z.string(),
  jobId: z.string(),
  stepKey: z.string(),
  epoch: z.number().int(),
  atMs: z.number(),
};

/** What an agent says about an operation; stored on the agent before it is sent (D6). */
export const stepEventSchema = z.discriminatedUnion('type', [
  z.object({ ...base, type: z.literal('accepted') }),
  z.object({ ...base, type: z.literal('checkpoint'), data: z.unknown() }),
  z.object({ ...base, type: z.literal('ledger-present'), resourceKey: z.string(), token: z.unknown() }),
  z.object({
    ...base,
    type: z.literal('ledger-gone'),
    resourceKey: z.string(),
    /** The step that owns the resource, when it is not the one that removed it (finalize drops overlays). */
    ownerStepKey: z.string().optional(),
  }),
  z.object({ ...base, type: z.literal('succeeded'), output: z.unknown() }),
  z.object({ ...base, type: z.literal('failed'), error: errorSchema }),
  z.object({ ...base, type: z.literal('cancelled') }),
  z.object({ ...base, type: z.literal('undone'), resourceKey: z.string() }),
  z.object({ ...base, type: z.literal('undo-failed'), resourceKey: z.string(), error: errorSchema }),
]);

/** A step event after validation. */
export type StepEvent = z.infer<typeof stepEventSchema>;

/** Last counters of one step: volatile, last one wins. */
export const progressMessageSchema = z.object({
  v: z.literal(1),
  jobId: z.string(),
  opId: z.string(),
  stepKey: z.string(),
  phase: z.string(),
  bytesDone: z.number(),
  bytesTotal: z.number(),
  bytesSkipped: z.number(),
  atMs: z.number(),
});

/** A progress message after validation. */
export type ProgressMessage = z.infer<typeof progressMessageSchema>;

const sourceName = z.string().max(512);

/** What an agent has for guests: bounded, because every heartbeat carries it. */
const guestSourcesSchema = z.object({
  windowsDrivers: z
    .object({
      packages: z.number().int().nonnegative(),
      devices: z.array(sourceName).max(1000).readonly(),
      problem: z.string().max(4096).nullable(),
    })
    .nullable(),
  agentPackages: z.array(sourceName).max(1000).readonly().nullable(),
});

/** What an agent can do, as probed. */
export const hostCapabilitiesSchema = z.object({
  qemuVersion: z.string().nullable(),
  qemuImgVersion: z.string().nullable(),
  storageDaemonFuse: z.boolean(),
  nbdKernel: z.boolean(),
  kvmWorks: z.boolean(),
  libguestfsVersion: z.string().nullable(),
  fuse2fs: z.boolean(),
  bubblewrap: z.boolean(),
  runsAsRoot: z.boolean(),
  cpuCount: z.number(),
  memoryBytes: z.number(),
  scratchFreeBytes: z.number(),
  /** Older agents do not tell. */
  guestSources: guestSourcesSchema.optional(),
});

/** Sent every 10 s. */
export const heartbeatSchema = z.object({
  v: z.literal(1),
  version: z.string(),
  capabilities: hostCapabilitiesSchema,
  /** Repository id → root path, as configured on the agent. */
  repositories: z.record(z.string(), z.string()),
  openOps: z.array(z.string()),
  /** The cap of its own settings in bytes per second, null = none; older agents do not tell. */
  configuredBandwidth: z.number().nullable().optional(),
  rssBytes: z.number(),
  atMs: z.number(),
});

/** A heartbeat after validation. */
export type Heartbeat = z.infer<typeof heartbeatSchema>;
