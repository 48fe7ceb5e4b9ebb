import type { Connector } from '@ascend/connector';
import { parseKvmConnection } from './connection.ts';
import { kvmCapabilities } from './data/capabilities.ts';
import { kvmGuestNeeds } from './data/guestNeeds.ts';
import { openKvmSession } from './session.ts';

/** A connector whose guests get `graceMs` to shut down by themselves before their process is ended. */
export function createKvmConnector(params: { readonly graceMs: number }): Connector {
  return {
    platform: 'kvm',
    capabilities: kvmCapabilities,
    guestNeeds: kvmGuestNeeds,
    parseConnection: parseKvmConnection,
    open: (connection, deps) => openKvmSession(parseKvmConnection(connection), deps, params.graceMs),
  };
}

/** The connector of the local QEMU host: QCOW2 files in folders, one QEMU process per VM, no other software. */
export const kvmConnector: Connector = createKvmConnector({ graceMs: 20_000 });
