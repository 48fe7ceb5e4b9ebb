import { expect, test } from 'vitest';
import { parseBandwidth } from '../commands/context.ts';
import { formatAgentLimit, formatRestoreLimit } from './bandwidth.ts';

test.each([
  ['50M', 50 * 1024 ** 2],
  ['64k', 64 * 1024],
  ['none', null],
  [' NONE ', null],
])('the bandwidth %j is %j', (text, rate) => {
  expect(parseBandwidth(text)).toBe(rate);
});

test.each(['', '0', '-1', 'fast', 'null', '5 apples'])('the bandwidth %j is refused', (text) => {
  expect(() => parseBandwidth(text)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }));
});

test('a new cap says where it is in effect and where it will be', () => {
  const agents = [
    { agent_id: 'here', applied: true },
    { agent_id: 'there', applied: false },
  ];
  expect(formatRestoreLimit({ restore_id: 'r1', bytes_per_second: 50 * 1024 ** 2, agents })).toBe(
    'restore r1: 50.0 MiB/s for each disk; in effect on agent here; agent there does not answer: in effect from its next contact',
  );
  expect(formatAgentLimit({ agent_id: 'here', bytes_per_second: null, applied: true })).toBe(
    'agent here: no cap for all its transfers together; in effect on agent here',
  );
});
