export * from './agentSide.ts';
export type { CommandHandler, CommandHead } from './commands.ts';
export * from './connection.ts';
export * from './control.ts';
export type { EventHandler, EventOrigin } from './events.ts';
export type { Running } from './pull.ts';
export * from './sealing.ts';
export * from './serverConfig.ts';
export * from './trust.ts';
export {
  agentInboxPrefix,
  controlInboxPrefix,
  issueAgentJwt,
  issueControlPlaneJwt,
  jwtLifetime,
  publicKeyOf,
} from './userJwt.ts';
