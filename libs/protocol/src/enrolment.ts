import { z } from 'zod';

/** What an agent posts once to `POST /api/v1/agents/enrol`: the one-time token and PUBLIC keys only. */
export const enrolmentRequestSchema = z.strictObject({
  token: z.string().min(20).max(200),
  agent_id: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/),
  /** User nkey, `U…`. */
  public_key: z.string().regex(/^U[A-Z2-7]{55}$/),
  /** Curve key for sealed secrets, `X…`. */
  public_xkey: z.string().regex(/^X[A-Z2-7]{55}$/),
  version: z.string().max(64),
});

/** An enrolment request after validation. */
export type EnrolmentRequest = z.infer<typeof enrolmentRequestSchema>;

/** The answer: where to connect, the user JWT, and the control plane's public curve key that seals secrets. */
export const enrolmentAnswerSchema = z.object({
  agent_id: z.string(),
  site_id: z.string(),
  jwt: z.string(),
  nats_urls: z.array(z.string()).min(1),
  control_xkey: z.string(),
});

/** An enrolment answer after validation. */
export type EnrolmentAnswer = z.infer<typeof enrolmentAnswerSchema>;
