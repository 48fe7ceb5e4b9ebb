import type { Trust } from './trust.ts';

/** Largest message our own server takes: commands carry a whole plan, results may carry a screenshot. */
export const maxPayloadBytes = 8 * 1024 * 1024;

/** Where a server listens and keeps its files. */
export interface ServerConfigParams {
  readonly listen: { readonly host: string; readonly port: number };
  /** Folder of the JetStream files; made by the server. */
  readonly storeDir: string;
  /** Certificate and key of the listener; without them the connection is plain (loopback only). */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** WebSocket listener for agents that get out on 443 only; without `tls` it expects a proxy that ends TLS. */
  readonly websocket?: {
    readonly host: string;
    readonly port: number;
    readonly tls?: { readonly certFile: string; readonly keyFile: string };
  };
  /** fsync on every write; nats-server 2.10 and later only (2.9 refuses the field). */
  readonly syncAlways?: boolean;
}

function tlsBlock(tls: { readonly certFile: string; readonly keyFile: string }): string {
  return `tls { cert_file: ${JSON.stringify(tls.certFile)}, key_file: ${JSON.stringify(tls.keyFile)} }`;
}

/** The text of a nats-server configuration with JWT trust and JetStream; valid from 2.9.10 up. Holds no private key. */
export function natsServerConfig(trust: Trust, params: ServerConfigParams): string {
  const { account, systemAccount } = trust;
  const lines = [
    `listen: ${JSON.stringify(`${params.listen.host}:${params.listen.port}`)}`,
    'server_name: ascend',
    `max_payload: ${maxPayloadBytes}`,
    'max_pending: 128MB',
    'ping_interval: "20s"',
    'write_deadline: "30s"',
    `operator: ${trust.operatorJwt}`,
    `system_account: ${systemAccount.publicKey}`,
    'resolver: MEMORY',
    'resolver_preload: {',
    `  ${account.publicKey}: ${account.jwt}`,
    `  ${systemAccount.publicKey}: ${systemAccount.jwt}`,
    '}',
    'jetstream {',
    `  store_dir: ${JSON.stringify(params.storeDir)}`,
    ...(params.syncAlways === true ? ['  sync_interval: always'] : []),
    '}',
  ];
  if (params.tls !== undefined) lines.push(tlsBlock(params.tls));
  const websocket = params.websocket;
  if (websocket !== undefined) {
    lines.push('websocket {', `  listen: ${JSON.stringify(`${websocket.host}:${websocket.port}`)}`);
    lines.push(websocket.tls === undefined ? '  no_tls: true' : `  ${tlsBlock(websocket.tls)}`, '}');
  }
  return `${lines.join('\n')}\n`;
}
