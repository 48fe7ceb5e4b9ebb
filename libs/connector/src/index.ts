export * from './checkFit.ts';
export * from './connector.ts';
