import { systemClock, type Clock } from '@ascend/runtime';

/**
 * A clock that never jumps and that all threads of this process share: `now` has no meaning but in differences. The machine's clock may be
 * set back while a copy runs, and then a bandwidth limit would hold it for hours.
 */
export const monotonicClock: Clock = {
  now: () => {
    // Asked for each block: the form without BigInt costs a quarter.
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
};
