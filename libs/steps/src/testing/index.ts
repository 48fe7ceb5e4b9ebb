export * from './samplePlan.ts';
export * from './sourceChain.ts';
export * from './stepWorld.ts';
