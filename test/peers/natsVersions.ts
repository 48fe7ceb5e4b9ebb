import { join } from 'node:path';

/**
 * Releases of nats-server that the bus's tests also run on, beside Debian's 2.9: the oldest without a warning and a
 * current one. Pinned; `go install` checks the module against Go's public checksum log. Source: the module's tags, 2026-11-21.
 */
export const natsVersions: readonly string[] = ['v2.10.27', 'v2.12.15'];

/** Folder that holds the program `nats-server` of one release. */
export function natsFolder(version: string): string {
  return join(import.meta.dirname, '../.cache/nats', version);
}
