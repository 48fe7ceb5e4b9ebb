import { describe, expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';
import { createLoanLife } from './loanLife.ts';
import { choosePeerMode, medianOf } from './measure.ts';

describe('the choice of the mode', () => {
  test.each([
    { rttMs: 0.2, bytesPerSecond: 1e9, mode: 'nbd' },
    { rttMs: 4.9, bytesPerSecond: 50e6, mode: 'nbd' },
    { rttMs: 5, bytesPerSecond: 1e9, mode: 'https' },
    { rttMs: 0.2, bytesPerSecond: 49e6, mode: 'https' },
    { rttMs: 80, bytesPerSecond: 10e6, mode: 'https' },
    { rttMs: Number.NaN, bytesPerSecond: 0, mode: 'https' },
  ])('at $rttMs ms and $bytesPerSecond bytes a second it is $mode', ({ mode, ...link }) => {
    expect(choosePeerMode(link)).toBe(mode);
  });

  test('one slow request does not move the median', () => {
    expect(medianOf([1, 900, 2])).toBe(2);
    expect(medianOf([4, 1, 3, 2])).toBe(2);
    expect(medianOf([])).toBeNaN();
  });
});

describe('the life of a loan', () => {
  test('ends when nobody comes, and keeps its first reason', async () => {
    const life = createLoanLife(1, 60_000, { now: () => performance.now() });
    await new Promise((resolve) => life.signal.addEventListener('abort', resolve));
    expect(life.end).toBe('expired');
    life.finish('returned');
    life.renew();
    expect(life.end).toBe('expired');
  });

  test('after its first sign of life it is the shorter time that counts', async () => {
    const life = createLoanLife(3_600_000, 5, { now: () => performance.now() });
    life.renew();
    await new Promise((resolve) => life.signal.addEventListener('abort', resolve));
    expect(life.end).toBe('expired');
  });

  test('each sign of life moves the end', async () => {
    let nowMs = 0;
    let onLook: ((value: null) => void) | undefined;
    const now = (): number => {
      onLook?.(null);
      return nowMs;
    };
    const life = createLoanLife(10, 10, { now });
    nowMs = 9;
    life.renew();
    nowMs = 18;
    // The timer of the first end fires and looks at the clock.
    await new Promise((resolve) => (onLook = resolve));
    expect(life.end).toBeNull();
    nowMs = 19;
    await new Promise((resolve) => life.signal.addEventListener('abort', resolve));
    expect(life.end).toBe('expired');
  });
});

test('the life of a loan does not end while this side works for the borrower', async () => {
  let nowMs = 0;
  let onLook: ((value: null) => void) | undefined;
  const now = (): number => {
    onLook?.(null);
    return nowMs;
  };
  const life = createLoanLife(1, 1, { now });
  const work = Promise.withResolvers<string>();
  const during = life.during(() => work.promise);
  nowMs = 1000;
  await new Promise((resolve) => (onLook = resolve));
  expect(life.end).toBeNull();
  work.resolve('done');
  expect(await during).toBe('done');
  nowMs = 2000;
  await new Promise((resolve) => life.signal.addEventListener('abort', resolve));
  expect(life.end).toBe('expired');
});

test('waits between attempts grow to 5 s, vary, and begin anew after a success', async () => {
  const waits: number[] = [];
  const clock = {
    now: () => 0,
    sleep: async (ms: number) => {
      waits.push(ms);
    },
  };
  const backoff = createBackoff(clock, () => 1);
  const { signal } = new AbortController();
  for (let attempt = 0; attempt < 8; attempt += 1) await backoff.wait(signal);
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  backoff.reset();
  await backoff.wait(signal);
  expect(waits.at(-1)).toBe(100);
  await Promise.all([backoff.wait(signal), backoff.wait(signal), backoff.wait(signal)]);
  expect(waits.slice(-2)).toEqual([100, 200]);
  await createBackoff(clock, () => 0.5).wait(signal);
  expect(waits.at(-1)).toBe(50);
});
