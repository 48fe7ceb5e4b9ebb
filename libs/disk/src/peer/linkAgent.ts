import http, { type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LinkSupply } from './supply.ts';

type OnConnection = (error: Error | null, stream: Duplex) => void;

class LinkAgent extends http.Agent {
  readonly #supply: LinkSupply;
  readonly #signal: AbortSignal;

  constructor(supply: LinkSupply, links: number, signal: AbortSignal) {
    super({ keepAlive: true, maxSockets: links, maxFreeSockets: links });
    this.#supply = supply;
    this.#signal = signal;
  }

  override createConnection(_options: ClientRequestArgs, onConnection?: OnConnection): undefined {
    void this.#connect(onConnection ?? (() => undefined));
  }

  async #connect(onConnection: OnConnection): Promise<void> {
    let link: Duplex;
    try {
      link = await this.#supply.openLink(this.#signal);
    } catch (cause) {
      // A failed connection comes without a stream, which the type does not foresee.
      Reflect.apply(onConnection, undefined, [cause instanceof Error ? cause : new Error(String(cause))]);
      return;
    }
    // The knock was read by hand, which leaves the link paused.
    link.resume();
    onConnection(null, link);
  }
}

/** An HTTP agent that keeps up to `links` connections and gets them from the supply instead of dialling by itself. */
export function createLinkAgent(supply: LinkSupply, links: number, signal: AbortSignal): http.Agent {
  return new LinkAgent(supply, links, signal);
}
