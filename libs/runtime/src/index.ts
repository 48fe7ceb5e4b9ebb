export * from './childWork.ts';
export * from './clock.ts';
export * from './environment.ts';
export * from './ids.ts';
export * from './logger.ts';
export * from './process.ts';
export * from './secret.ts';
