import { expect, it } from 'vitest';
import { apiPolicySchema } from './api/restores.ts';
import { partialPolicySchema, policySchema } from './plan.ts';

const rule = { from: '10.0.2.0/24', to: '10.9.2.0/24' };

it.each([
  ['two networks of version 4', { address_rules: [rule] }],
  ['two networks of version 6', { address_rules: [{ from: '2001:db8:1::/64', to: 'fd00:7::/64' }] }],
  ['a script with its interpreter', { first_boot_script: '#!/bin/sh\ntrue\n' }],
  ['no script', { first_boot_script: null }],
  ['the word that a dirty volume may be edited', { accept_dirty: true }],
  ['nothing', {}],
])('a policy may have %s', (_what, policy) => {
  expect(apiPolicySchema.parse(policy)).toEqual(policy);
});

it.each([
  ['an address without length', { address_rules: [{ ...rule, from: '10.0.2.1' }] }],
  ['a name for a network', { address_rules: [{ ...rule, to: 'lan' }] }],
  ['a rule with more in it', { address_rules: [{ ...rule, via: 'x' }] }],
  ['more rules than a guest has networks', { address_rules: Array.from({ length: 65 }, () => rule) }],
  ['a script without interpreter', { first_boot_script: 'true\n' }],
  ['a script with a NUL', { first_boot_script: '#!/bin/sh\n\0' }],
  ['a script of more than 64 KiB', { first_boot_script: `#!/bin/sh\n${'ä'.repeat(33_000)}` }],
])('a policy with %s is refused', (_what, policy) => {
  expect(apiPolicySchema.safeParse(policy).success).toBe(false);
});

it('a plan that an earlier version stored, without rules, script and dirty volumes, is still read', () => {
  const stored = {
    vmName: 'a',
    prepareGuest: true,
    bootTest: false,
    powerOn: true,
    evidence: 'network',
    serialMarker: null,
    bootTimeoutMs: 600_000,
    excludeDisks: [],
    networkMap: {},
    storage: null,
    macs: {},
    cpuCount: null,
    memoryBytes: null,
    bandwidthBytesPerSecond: null,
  };
  expect(policySchema.parse(stored)).toEqual({
    ...stored,
    addressRules: [],
    firstBootScript: null,
    executor: 'auto',
    acceptDirty: false,
  });
  expect(partialPolicySchema.parse({})).toEqual({});
});
