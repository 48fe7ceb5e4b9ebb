import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { createSealingKey, createUserKey } from '@ascend/bus';
import { AppError } from '@ascend/errors';
import {
  enrolmentAnswerSchema,
  isSubjectId,
  type EnrolmentAnswer,
  type EnrolmentRequest,
} from '@ascend/protocol';
import type { Secret } from '@ascend/runtime';
import { credentialsFile, writeCredentials, type Credentials } from './credentials.ts';

/** What an enrolment needs. */
export interface EnrolParams {
  /** Base URL of the API, e.g. `https://ascend.example:8082`. */
  readonly api: string;
  readonly agentId: string;
  readonly token: Secret;
  readonly dir: string;
  readonly version: string;
  /** Replace credentials that are there already. */
  readonly force: boolean;
}

function refused(message: string, cause?: unknown): AppError {
  return new AppError({
    code: 'AGENT_ENROLMENT_REFUSED',
    message: `enrol: ${message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

async function post(url: URL, body: EnrolmentRequest): Promise<EnrolmentAnswer> {
  let text: string;
  let status: number;
  try {
    const response = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (cause) {
    throw refused(`${url.origin} does not answer`, cause);
  }
  if (status !== 200 && status !== 201) throw refused(`HTTP ${status}: ${text.slice(0, 500)}`);
  try {
    return enrolmentAnswerSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw refused('answer is not as agreed', cause);
  }
}

/**
 * Makes the agent's own keys, sends their PUBLIC halves with the one-time token, and writes the credentials file. The
 * seeds never leave this machine. Leaves nothing behind on failure.
 *
 * @throws {AppError} AGENT_ENROLMENT_REFUSED - token used up or wrong, API not reachable, credentials already there
 * @throws {AppError} CONFIG_INVALID - agent id or API address malformed
 */
export async function enrolAgent(params: EnrolParams): Promise<Credentials> {
  if (!isSubjectId(params.agentId)) {
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: `enrol: agent id ${JSON.stringify(params.agentId)} must be a-z, 0-9, - and _`,
    });
  }
  if (!URL.canParse('/api/v1/agents/enrol', params.api)) {
    throw new AppError({ code: 'CONFIG_INVALID', message: 'enrol: --api is not a URL' });
  }
  const there = await access(join(params.dir, credentialsFile)).then(
    () => true,
    () => false,
  );
  if (there && !params.force) {
    throw refused(`${params.dir} holds credentials already; --force replaces them`);
  }
  const user = createUserKey();
  const sealing = createSealingKey();
  const answer = await post(new URL('/api/v1/agents/enrol', params.api), {
    token: params.token.reveal(),
    agent_id: params.agentId,
    public_key: user.publicKey,
    public_xkey: sealing.publicKey,
    version: params.version,
  });
  const credentials = {
    agentId: answer.agent_id,
    siteId: answer.site_id,
    natsUrls: answer.nats_urls,
    controlXkey: answer.control_xkey,
    jwt: answer.jwt,
    userSeed: user.seed,
    xkeySeed: sealing.seed,
  };
  await writeCredentials(params.dir, credentials);
  return credentials;
}
