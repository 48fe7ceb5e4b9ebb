export * from './contractSuite.ts';
export * from './faultScript.ts';
export * from './memoryConnector.ts';
export * from './memoryDisk.ts';
export * from './samples.ts';
export * from './suiteWorld.ts';
