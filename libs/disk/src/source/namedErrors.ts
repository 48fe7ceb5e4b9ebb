import { AppError, isAppError } from '@ascend/errors';
import type { DiskChain } from '../chain/chain.ts';

/** An error of a block server, which knows no file, with the top file of the disk in its message. */
function named(cause: unknown, label: string): unknown {
  if (!isAppError(cause) || cause.code === 'OPERATION_CANCELLED') return cause;
  const file = cause.details['file'];
  if (typeof file === 'string' || cause.message.includes(label)) return cause;
  return new AppError({
    code: cause.code,
    message: `read ${label}: ${cause.message}`,
    details: { ...cause.details, file: label },
    hint: cause.hint,
    ...(cause.retryAfterMs === undefined ? {} : { retryAfterMs: cause.retryAfterMs }),
    cause,
  });
}

/** Names the disk in the errors of what reads it. */
export interface DiskNaming {
  /** @throws what `work` throws, named */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** The same items; what their source throws is named. */
  each<T>(items: AsyncIterable<T>): AsyncGenerator<T>;
}

/** For all that reads one chain through a block server. */
export function errorsOf(chain: Pick<DiskChain, 'layers'>): DiskNaming {
  const label = chain.layers[0]?.relPath ?? 'disk';
  return {
    during: async (work) => {
      try {
        return await work();
      } catch (cause) {
        throw named(cause, label);
      }
    },
    each: async function* each(items) {
      try {
        yield* items;
      } catch (cause) {
        throw named(cause, label);
      }
    },
  };
}
