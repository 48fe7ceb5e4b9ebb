/**
 * Waits for all, then throws what failed first: a buffer must not be given back while anybody still uses it. Of one piece of work it
 * is the promise itself.
 */
export function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const [first] = work;
  if (work.length === 1 && first !== undefined) return first;
  return settleMany(work);
}

async function settleMany(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
