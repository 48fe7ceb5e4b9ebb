export * from './buildPackages.ts';
export * from './guestTree.ts';
export * from './tinyGuest.ts';
export * from './leftovers.ts';
export * from './tinyPlan.ts';
export * from './needsContract.ts';
export * from './phonyWindows/index.ts';
