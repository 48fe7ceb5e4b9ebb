import { z } from 'zod';
import type { StepContext } from './stepHandler.ts';

/** When a step began and ended, as measured where it ran; part of every output, for the report. */
export interface StepTiming {
  /** ms since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** The timing's fields for output schemas. */
export const timingShape = { startedAtMs: z.number(), endedAtMs: z.number() };

/** Runs a step's body and adds when it began and ended. */
export async function timed<T extends object>(
  context: StepContext,
  body: () => Promise<T>,
): Promise<T & StepTiming> {
  const startedAtMs = context.clock.now();
  const output = await body();
  return { ...output, startedAtMs, endedAtMs: context.clock.now() };
}
