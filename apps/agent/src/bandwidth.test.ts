import { expect, test } from 'vitest';
import { createBandwidthCaps } from './bandwidth.ts';

const cap = (bytesPerSecond: number | null, revision: number) => ({ bytesPerSecond, revision });

test('without orders the settings cap the agent and the plan caps each stream', () => {
  const caps = createBandwidthCaps(1000);
  expect(caps.all.bytesPerSecond).toBe(1000);
  expect(caps.open('a', 50, undefined).limiter.bytesPerSecond).toBe(50);
  expect(caps.open('a', null, undefined).limiter.bytesPerSecond).toBeNull();
});

test('a cap of a job reaches all its running streams and those that start later, and no other job', () => {
  const caps = createBandwidthCaps(null);
  const [first, second, other] = [
    caps.open('a', 50, undefined),
    caps.open('a', 50, undefined),
    caps.open('b', 50, undefined),
  ];
  caps.limitJob('a', cap(70, 1));
  const later = caps.open('a', 50, undefined);
  expect([first, second, later, other].map((one) => one.limiter.bytesPerSecond)).toEqual([70, 70, 70, 50]);
  caps.limitJob('a', cap(null, 2));
  expect([first, later].map((one) => one.limiter.bytesPerSecond)).toEqual([null, null]);
});

test('a cap is known before the first operation of its job and after the last', () => {
  const caps = createBandwidthCaps(null);
  caps.limitJob('a', cap(70, 1));
  const first = caps.open('a', null, undefined);
  expect(first.limiter.bytesPerSecond).toBe(70);
  first.close();
  first.close();
  expect(caps.open('a', null, undefined).limiter.bytesPerSecond).toBe(70);
});

test('of a command, a request and a hello the newest order counts, in whatever order they arrive', () => {
  const caps = createBandwidthCaps(null);
  caps.limitJob('a', cap(70, 5));
  const stream = caps.open('a', 50, cap(60, 4));
  expect(stream.limiter.bytesPerSecond).toBe(70);
  caps.apply({ agent: cap(900, 5), jobs: { a: cap(60, 4) } });
  expect([stream.limiter.bytesPerSecond, caps.all.bytesPerSecond]).toEqual([70, 900]);
  caps.limitAgent(cap(800, 4));
  expect(caps.all.bytesPerSecond).toBe(900);
  const command = caps.open('a', 50, cap(80, 6));
  expect([stream, command].map((one) => one.limiter.bytesPerSecond)).toEqual([80, 80]);
});

test('a hello without an order leaves what the settings say', () => {
  const caps = createBandwidthCaps(1000);
  caps.apply({ agent: null, jobs: {} });
  expect(caps.all.bytesPerSecond).toBe(1000);
  caps.apply({ agent: cap(null, 1), jobs: {} });
  expect(caps.all.bytesPerSecond).toBeNull();
});

test('orders for jobs that are long over are forgotten, those of running jobs never', () => {
  const caps = createBandwidthCaps(null);
  const running = caps.open('running', null, cap(10, 1));
  caps.limitJob('over', cap(20, 1));
  for (let job = 0; job < 1000; job += 1) caps.limitJob(`job-${job}`, cap(30, 1));
  expect(caps.open('over', 5, undefined).limiter.bytesPerSecond).toBe(5);
  expect(caps.open('running', 5, undefined).limiter.bytesPerSecond).toBe(10);
  expect(running.limiter.bytesPerSecond).toBe(10);
});
