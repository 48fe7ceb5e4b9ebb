import { expect, it } from 'vitest';
import { createRateMeter } from './rate.ts';

it('knows no rate before two observations', () => {
  const meter = createRateMeter();
  meter.observe(0, 0);
  expect(meter.bytesPerSecond()).toBeNull();
  expect(meter.etaMs(100)).toBeNull();
});

it('computes rate and time to the end from absolute counters', () => {
  const meter = createRateMeter();
  meter.observe(0, 0);
  meter.observe(50, 1000);
  expect(meter.bytesPerSecond()).toBe(50);
  expect(meter.etaMs(150)).toBe(2000);
});

it('forgets what is older than its window', () => {
  const meter = createRateMeter();
  meter.observe(0, 0);
  meter.observe(1000, 1000);
  for (let second = 2; second <= 30; second += 1) meter.observe(1000 + second, second * 1000);
  expect(meter.bytesPerSecond()).toBeCloseTo(1, 1);
});

it('starts afresh when a counter falls back to zero', () => {
  const meter = createRateMeter();
  meter.observe(0, 0);
  meter.observe(1000, 1000);
  meter.observe(0, 2000);
  expect(meter.bytesPerSecond()).toBeNull();
});
