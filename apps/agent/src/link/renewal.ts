import { jwtLifetime, type AgentBus } from '@ascend/bus';
import type { Clock, Logger } from '@ascend/runtime';
import { startLoop, type Loop } from './loop.ts';

const hourMs = 3_600_000;
const answerWithinMs = 30_000;

/** When a JWT is to be renewed: at two thirds of its life; null = it never ends. */
function renewAtMs(jwt: string): number | null {
  const { issuedAtMs, expiresAtMs } = jwtLifetime(jwt);
  return expiresAtMs === null ? null : issuedAtMs + ((expiresAtMs - issuedAtMs) * 2) / 3;
}

/** Renews the user JWT before it ends. `store` makes the new one durable; the next connect uses it. */
export function renewJwt(params: {
  readonly bus: AgentBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly jwt: () => string;
  readonly store: (jwt: string) => Promise<void>;
}): Loop {
  return startLoop(params.clock, async (signal) => {
    const at = renewAtMs(params.jwt());
    if (at === null) return 24 * hourMs;
    const wait = at - params.clock.now();
    if (wait > 0) return Math.min(wait, hourMs);
    try {
      const { jwt } = await params.bus.ask('renew', {}, { deadlineMs: answerWithinMs, signal });
      await params.store(jwt);
      params.logger.info('bus credentials were renewed', { expiresAtMs: jwtLifetime(jwt).expiresAtMs });
      return hourMs;
    } catch (error) {
      if (!signal.aborted) {
        params.logger.warn('bus credentials were not renewed yet', { reason: String(error) });
      }
      return 60_000;
    }
  });
}
