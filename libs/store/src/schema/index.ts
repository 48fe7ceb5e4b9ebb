export * from './access.ts';
export * from './backupKnowledge.ts';
export * from './catalogue.ts';
export * from './delivery.ts';
export * from './estate.ts';
export * from './journal.ts';
export * from './repositories.ts';
export * from './restore.ts';
