export * from './natsServer.ts';
export * from './samples.ts';
