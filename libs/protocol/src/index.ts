export * from './api/index.ts';
export * from './bandwidth.ts';
export * from './command.ts';
export * from './enrolment.ts';
export * from './event.ts';
export * from './plan.ts';
export * from './request.ts';
export * from './subjects.ts';
