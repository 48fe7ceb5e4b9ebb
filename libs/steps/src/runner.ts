export * from './runOperation.ts';
export * from './targetAccess.ts';
