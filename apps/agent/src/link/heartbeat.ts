import { statfs } from 'node:fs/promises';
import type { AgentBus } from '@ascend/bus';
import type { HostCapabilities } from '@ascend/domain';
import type { Heartbeat } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import { startLoop, type Loop } from './loop.ts';

const everyMs = 10_000;

/** Makes heartbeats and sends them. */
export interface Heartbeats {
  /** A fresh one: free space and memory are measured now, capabilities as probed at start. */
  current(): Promise<Heartbeat>;
  start(bus: AgentBus, clock: Clock): Loop;
}

async function freeBytes(dir: string): Promise<number> {
  const stats = await statfs(dir);
  return stats.bavail * stats.bsize;
}

/** Heartbeats of one agent; `capabilities` is probed once, the first heartbeat waits for it. */
export function createHeartbeats(params: {
  readonly version: string;
  readonly scratchDir: string;
  readonly repositories: Readonly<Record<string, string>>;
  /** Bytes per second, null = no cap. */
  readonly configuredBandwidth: number | null;
  readonly capabilities: Promise<HostCapabilities>;
  readonly openOps: () => readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}): Heartbeats {
  const current = async (): Promise<Heartbeat> => {
    const [capabilities, scratchFreeBytes] = await Promise.all([
      params.capabilities,
      freeBytes(params.scratchDir).catch(() => 0),
    ]);
    return {
      v: 1,
      version: params.version,
      capabilities: { ...capabilities, scratchFreeBytes },
      repositories: { ...params.repositories },
      openOps: [...params.openOps()],
      configuredBandwidth: params.configuredBandwidth,
      rssBytes: process.memoryUsage.rss(),
      atMs: params.clock.now(),
    };
  };
  return {
    current,
    start: (bus, clock) =>
      startLoop(clock, async () => {
        try {
          bus.publishHeartbeat(await current());
        } catch (error) {
          params.logger.error('heartbeat was not sent', { reason: String(error) });
        }
        return everyMs;
      }),
  };
}
