import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '@ascend/errors';
import { enrolmentAnswerSchema } from '@ascend/protocol';
import { Secret } from '@ascend/runtime';

const storedSchema = enrolmentAnswerSchema.extend({
  user_seed: z.string(),
  xkey_seed: z.string(),
});

type Stored = z.infer<typeof storedSchema>;

/** Who this agent is: the only secrets it keeps on disk are its own two seeds (D18). */
export interface Credentials {
  readonly agentId: string;
  readonly siteId: string;
  readonly natsUrls: readonly string[];
  /** Public curve key of the control plane: who sealed the secrets. */
  readonly controlXkey: string;
  readonly jwt: string;
  readonly userSeed: Secret;
  readonly xkeySeed: Secret;
}

/** File name inside the agent folder. */
export const credentialsFile = 'credentials.json';

async function write(dir: string, stored: Stored): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, credentialsFile);
  const file = await open(`${path}.partial`, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(stored, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.partial`, path);
}

/** Writes the credentials file (mode 600) in one step: a crash leaves the old one or the new one. */
export async function writeCredentials(dir: string, credentials: Credentials): Promise<void> {
  await write(dir, {
    agent_id: credentials.agentId,
    site_id: credentials.siteId,
    jwt: credentials.jwt,
    nats_urls: [...credentials.natsUrls],
    control_xkey: credentials.controlXkey,
    user_seed: credentials.userSeed.reveal(),
    xkey_seed: credentials.xkeySeed.reveal(),
  });
}

/**
 * Reads the credentials file.
 *
 * @throws {AppError} AGENT_NOT_ENROLLED - missing or damaged
 */
export async function readCredentials(dir: string): Promise<Credentials> {
  const path = join(dir, credentialsFile);
  try {
    const stored = storedSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return {
      agentId: stored.agent_id,
      siteId: stored.site_id,
      natsUrls: stored.nats_urls,
      controlXkey: stored.control_xkey,
      jwt: stored.jwt,
      userSeed: new Secret(stored.user_seed),
      xkeySeed: new Secret(stored.xkey_seed),
    };
  } catch (cause) {
    throw new AppError({ code: 'AGENT_NOT_ENROLLED', message: `read ${path}: no usable credentials`, cause });
  }
}
