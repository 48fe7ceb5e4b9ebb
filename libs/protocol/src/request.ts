import type {
  Finding,
  RestorePointFacts,
  ScannedImage,
  ScannedRepository,
  TargetFacts,
} from '@ascend/domain';
import { z } from 'zod';
import { limitRequestSchema, type BandwidthOrders } from './bandwidth.ts';
import { errorSchema, heartbeatSchema } from './event.ts';

const target = z.object({
  targetId: z.string(),
  platform: z.string(),
  connection: z.record(z.string(), z.unknown()),
});

/** Requests to an agent, by verb (core request/reply, D11). */
export const agentRequests = {
  /** Opens the chains of a restore point and looks into the guest. Reply: RestorePointFacts, or null when nothing changed. */
  analyze: z.object({
    /** Fingerprint of facts that the asker has already; null = none. */
    knownFingerprint: z.string().nullable(),
    backupId: z.string(),
    rootPath: z.string(),
    disks: z.array(z.object({ diskIndex: z.number(), path: z.string(), format: z.string() })),
  }),
  /** Live facts of a target. Reply: TargetFacts. */
  inventory: z.object({ target }),
  /** Credentials, version, permissions. Reply: Finding[]. */
  'check-target': z.object({ target }),
  /** Walks a repository folder. Reply: ScannedRepository. */
  scan: z.object({ rootPath: z.string() }),
  /** Looks at single image files to be registered. Reply: ScannedImage[]. */
  'probe-images': z.object({ rootPath: z.string(), paths: z.array(z.string()).min(1).max(64) }),
  /** Changes a bandwidth cap. Reply: null, once it holds for what runs and for what starts later. */
  limit: limitRequestSchema,
} as const;

/** The verbs an agent answers. */
export type AgentVerb = keyof typeof agentRequests;

/** What each verb is asked. */
export type AgentRequest<V extends AgentVerb> = z.infer<(typeof agentRequests)[V]>;

/** What each verb answers. Replies are made by our own code on both ends; sizes are bounded by the bus. */
export interface AgentReplies {
  readonly analyze: RestorePointFacts | null;
  readonly inventory: TargetFacts;
  readonly 'check-target': readonly Finding[];
  readonly scan: ScannedRepository;
  readonly 'probe-images': readonly ScannedImage[];
  readonly limit: null;
}

/** Requests of an agent to the control plane, by verb. */
export const controlRequests = {
  /** On connect: which operations are open here (D6). */
  hello: z.object({ heartbeat: heartbeatSchema, openOps: z.array(z.string()) }),
  /** A secret of a target for a running operation; answered sealed to the agent's xkey. */
  secret: z.object({ opId: z.string().nullable(), targetId: z.string(), name: z.string() }),
  /** A new user JWT before the old one ends. */
  renew: z.object({}),
} as const;

/** The verbs the control plane answers. */
export type ControlVerb = keyof typeof controlRequests;

/** What each verb is asked. */
export type ControlRequest<V extends ControlVerb> = z.infer<(typeof controlRequests)[V]>;

/** What each verb answers. */
export interface ControlReplies {
  /** Per open op what to do with it; plus the repositories and their roots on this agent, and bandwidth caps. */
  readonly hello: {
    readonly ops: Readonly<Record<string, 'continue' | 'stop' | 'forget'>>;
    readonly repositories: Readonly<Record<string, string>>;
    /** Absent from an older control plane. */
    readonly bandwidth?: BandwidthOrders;
  };
  /** base64 of the sealed box. */
  readonly secret: { readonly sealed: string };
  readonly renew: { readonly jwt: string };
}

/** The envelope of every reply on the request lane. */
export const replySchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({ ok: z.literal(false), error: errorSchema }),
]);

/** A reply after validation. */
export type Reply = z.infer<typeof replySchema>;
