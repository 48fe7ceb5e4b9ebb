import { openSealed, type AgentBus } from '@ascend/bus';
import { Secret } from '@ascend/runtime';
import type { Credentials } from './credentials.ts';

/** Gives the secrets of one target by name; memory only. */
export type SecretSource = (name: string) => Promise<Secret>;

const answerWithinMs = 15_000;

/**
 * Secrets of a target for one operation (or for a request, `opId` null): asked for when first needed, opened with this
 * agent's own key, forgotten with the operation (D18).
 *
 * @throws {AppError} from the source: BUS_KEY_INVALID, BUS_CONTROL_PLANE_OFFLINE, the control plane's refusal
 */
export function createSecretSource(params: {
  readonly bus: AgentBus;
  readonly credentials: Pick<Credentials, 'xkeySeed' | 'controlXkey'>;
  readonly opId: string | null;
  readonly targetId: string;
}): SecretSource {
  const known = new Map<string, Promise<Secret>>();
  const ask = async (name: string): Promise<Secret> => {
    const { opId, targetId } = params;
    const answer = await params.bus.ask('secret', { opId, targetId, name }, { deadlineMs: answerWithinMs });
    const { xkeySeed, controlXkey } = params.credentials;
    const plain = openSealed({ seed: xkeySeed, sender: controlXkey, sealed: answer.sealed });
    return new Secret(Buffer.from(plain).toString('utf8'));
  };
  return async (name) => {
    const asked = known.get(name) ?? ask(name);
    known.set(name, asked);
    try {
      return await asked;
    } catch (error) {
      known.delete(name);
      throw error;
    }
  };
}
