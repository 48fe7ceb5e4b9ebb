import { isAppError } from '@ascend/errors';

/** For fuzz tests: `done`, or the code of the error; any error that is not ours is thrown on. */
export async function outcomeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'done';
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return cause.code;
  }
}
