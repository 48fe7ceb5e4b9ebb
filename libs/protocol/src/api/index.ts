export * from './backups.ts';
export * from './caseStyle.ts';
export * from './catalog.ts';
export * from './estate.ts';
export * from './problem.ts';
export * from './restores.ts';
export * from './system.ts';
export * from './targets.ts';
