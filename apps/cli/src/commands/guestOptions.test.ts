import { describe, expect, it } from 'vitest';
import { readGuestChanges } from './guestOptions.ts';
import { policyOf } from './restores.ts';

const none = { excludeDisk: [], network: [], mac: [], reIp: [] };

describe('--executor', () => {
  it('is auto unless given, and then no part of what is asked of the control plane', () => {
    expect(readGuestChanges({ reIp: [] }).executor).toBe('auto');
    expect(policyOf({ ...none })).not.toHaveProperty('executor');
  });

  it.each(['auto', 'host', 'appliance'])('takes %s and sends it', (executor) => {
    expect(readGuestChanges({ reIp: [], executor }).executor).toBe(executor);
    expect(policyOf({ ...none, executor })).toMatchObject({ executor });
  });

  it('refuses any other word', () => {
    expect(() => readGuestChanges({ reIp: [], executor: 'kernel' })).toThrow(/--executor: "kernel"/);
  });
});
