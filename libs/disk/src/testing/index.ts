export * from './images.ts';
export * from './sinkContract.ts';
