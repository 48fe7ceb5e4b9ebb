export { applyEvent } from './applyEvent.ts';
export { decide, type DecideParams, type Decision } from './decide.ts';
export type {
  CancelOpEffect,
  DispatchEffect,
  Effect,
  EventEffect,
  JobEndedEffect,
  LedgerIntentEffect,
} from './effect.ts';
export type { AgentEvent, Applied, JobEvent, OperationRef, OperatorEvent } from './event.ts';
export { invalidate } from './invalidate.ts';
export { createJob, isInFlight, jobEpoch, jobKeys, outputsFor, stepOf } from './job.ts';
export { isRetryable, retryDelayMs } from './retry.ts';
export { seedView, type ProgressByStep, type SeedStepStatus, type SeedView } from './seedView.ts';
export {
  jobTransitions,
  nextJobState,
  nextStepState,
  stepTransitions,
  type JobTransition,
  type StepTransition,
} from './transitions.ts';
