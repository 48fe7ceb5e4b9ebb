import { AppError } from '@ascend/errors';
import type { z } from 'zod';
import type { StepOperation } from './stepHandler.ts';

/**
 * Reads what an earlier step returned. It crossed the bus and a database since, so its form is checked again.
 *
 * @throws {AppError} STEP_OUTPUT_INVALID - there is none, or it has another form
 */
export function readOutput<T>(operation: StepOperation, stepKey: string, schema: z.ZodType<T>): T {
  const found = findOutput(operation, stepKey, schema);
  if (found !== null) return found;
  throw new AppError({
    code: 'STEP_OUTPUT_INVALID',
    message: `read output of ${stepKey}: there is none`,
    details: { stepKey },
  });
}

/** As `readOutput`, but null when the step left none (it is not in the plan). @throws {AppError} STEP_OUTPUT_INVALID */
export function findOutput<T>(operation: StepOperation, stepKey: string, schema: z.ZodType<T>): T | null {
  if (!Object.hasOwn(operation.outputs, stepKey)) return null;
  const parsed = schema.safeParse(operation.outputs[stepKey]);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AppError({
    code: 'STEP_OUTPUT_INVALID',
    message: `read output of ${stepKey}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it has another form'}`,
    details: { stepKey },
  });
}
