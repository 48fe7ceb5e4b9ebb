// Below this a piece is copied and waits for more; above it, its own buffer goes out without a copy.
const smallBytes = 64 * 1024;

/** Joins small pieces of a stream into big writes without copying the big pieces. */
export interface Gather {
  /** Passes a piece on, now or with the next big one. */
  write(data: Uint8Array): Promise<void>;
  /** Passes on what is waiting. */
  flush(): Promise<void>;
}

/**
 * Encoders write headers of a few bytes between blocks of a mebibyte. Each header would be a system call of its own; here it goes out
 * with the block that follows it. `emit` gets the parts of one write; they may be reused once its promise is settled. Once it has failed,
 * every later call fails with the same error.
 */
export function createGather(
  waitingBytes: number,
  emit: (parts: readonly Uint8Array[], lengthBytes: number) => Promise<void>,
): Gather {
  const waiting = Buffer.allocUnsafe(waitingBytes);
  let used = 0;
  // After a failed write the stream has a gap: nothing may follow, and nobody may call it complete.
  let failure: { readonly cause: unknown } | null = null;
  const pass = async (parts: readonly Uint8Array[], lengthBytes: number): Promise<void> => {
    try {
      await emit(parts, lengthBytes);
    } catch (cause) {
      failure = { cause };
      throw cause;
    }
  };
  const assertWhole = (): void => {
    if (failure !== null) throw failure.cause;
  };
  const flush = async (): Promise<void> => {
    assertWhole();
    if (used === 0) return;
    const length = used;
    used = 0;
    await pass([waiting.subarray(0, length)], length);
  };
  return {
    flush,
    write: async (data) => {
      assertWhole();
      if (data.length === 0) return;
      if (data.length >= Math.min(smallBytes, waitingBytes)) {
        const length = used;
        used = 0;
        await pass(length === 0 ? [data] : [waiting.subarray(0, length), data], length + data.length);
        return;
      }
      if (used + data.length > waitingBytes) await flush();
      waiting.set(data, used);
      used += data.length;
    },
  };
}
