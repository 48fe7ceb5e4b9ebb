import type { CodeRow } from './category.ts';
import { agentCodes } from './codes/agent.ts';
import { apiCodes } from './codes/api.ts';
import { bootCodes } from './codes/boot.ts';
import { busCodes } from './codes/bus.ts';
import { catalogCodes } from './codes/catalog.ts';
import { cliCodes } from './codes/cli.ts';
import { diskCodes } from './codes/disk.ts';
import { generalCodes } from './codes/general.ts';
import { guestCodes } from './codes/guest.ts';
import { planCodes } from './codes/plan.ts';
import { runtimeCodes } from './codes/process.ts';
import { restoreCodes } from './codes/restore.ts';
import { specCodes } from './codes/spec.ts';
import { stepCodes } from './codes/step.ts';
import { storeCodes } from './codes/store.ts';
import { targetCodes } from './codes/target.ts';

/** Every error code of the product with its category, meaning and default hint. */
export const codes = {
  ...generalCodes,
  ...runtimeCodes,
  ...diskCodes,
  ...guestCodes,
  ...bootCodes,
  ...storeCodes,
  ...catalogCodes,
  ...busCodes,
  ...agentCodes,
  ...specCodes,
  ...planCodes,
  ...restoreCodes,
  ...targetCodes,
  ...stepCodes,
  ...cliCodes,
  ...apiCodes,
} as const satisfies Record<string, CodeRow>;

/** The closed set of codes an `AppError` or a finding may carry. */
export type ErrorCode = keyof typeof codes;

/** True when `text` is one of our codes; used where a code arrives from outside. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(codes, text);
}

/** The table row of a code, widened to its general shape. */
export function codeRow(code: ErrorCode): CodeRow {
  return codes[code];
}
