export * from './appError.ts';
export * from './category.ts';
export * from './codes.ts';
export * from './printable.ts';
export * from './serialize.ts';
