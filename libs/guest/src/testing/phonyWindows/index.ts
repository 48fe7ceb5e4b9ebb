export * from './buildHive.ts';
export * from './memoryFiles.ts';
export * from './phonyDisk.ts';
export * from './phonyDrivers.ts';
export * from './phonyImage.ts';
export * from './phonyWindows.ts';
export * from './phonyNeeds.ts';
