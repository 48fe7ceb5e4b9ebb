export * from './describeSchema.ts';
export * from './mariadb.ts';
export * from './pgtest1.ts';
export * from './sampleJob.ts';
export * from './testDatabase.ts';
