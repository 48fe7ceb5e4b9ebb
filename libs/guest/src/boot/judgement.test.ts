import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeBoot, listEvidence, type BootDemand, type BootSigns } from './judgement.ts';

const nothing: BootSigns = {
  agent: null,
  marker: null,
  wire: { atMs: 0, addresses: [] },
  failure: null,
  settledScreen: false,
  expired: false,
};
const agent = { agent: { atMs: 1, addresses: ['10.0.2.77'] } };
const marker = { marker: { atMs: 2, line: 'READY' } };
const wire = { wire: { atMs: 3, addresses: ['10.0.2.77'] } };
const wrongWire = { wire: { atMs: 3, addresses: ['10.0.2.15'] } };
const failure = { failure: 'the kernel panicked' };
const screen = { settledScreen: true };
const late = { expired: true };

const serial: BootDemand = { evidence: 'serial-marker', expected: ['10.0.2.77'] };
const network: BootDemand = { evidence: 'network', expected: ['10.0.2.77'] };
const anyNetwork: BootDemand = { evidence: 'network', expected: [] };
const byAgent: BootDemand = { evidence: 'guest-agent', expected: [] };
const none: BootDemand = { evidence: 'none', expected: [] };
const asked: BootDemand = { evidence: 'serial-marker', expected: [], onlyMarker: true };

test.each<[string, Partial<BootSigns>, BootDemand, string | null]>([
  ['the demanded rung', marker, serial, 'passed'],
  ['a better rung', agent, serial, 'passed'],
  ['a better rung than the line that was asked for, in time', agent, asked, null],
  ['a better rung than the line that was asked for, too late', { ...agent, ...late }, asked, 'inconclusive'],
  ['the line that was asked for', marker, asked, 'passed'],
  ['a lower rung, in time', wire, serial, null],
  ['a lower rung, too late', { ...wire, ...late }, serial, 'inconclusive'],
  ['a settled screen alone, in time', screen, serial, null],
  ['a settled screen alone, too late', { ...screen, ...late }, serial, 'inconclusive'],
  ['nothing, too late', late, serial, 'failed'],
  ['nothing yet', {}, serial, null],
  ['a failure sign', failure, serial, 'failed'],
  ['a failure sign after the proof', { ...failure, ...marker }, serial, 'passed'],
  ['a failure sign beside a lower rung', { ...failure, ...wire }, serial, 'failed'],
  ['the expected address', wire, network, 'passed'],
  ['another address than expected', { ...wrongWire, ...late }, network, 'inconclusive'],
  ['any address when none is expected', wrongWire, anyNetwork, 'passed'],
  ['a marker where the agent is demanded', { ...marker, ...late }, byAgent, 'inconclusive'],
  ['an agent', agent, byAgent, 'passed'],
  ['everything where nothing is demanded', { ...agent, ...marker, ...late }, none, 'inconclusive'],
  ['a failure sign where nothing is demanded', failure, none, 'failed'],
])('%s is judged rightly', (_, signs, demand, verdict) => {
  expect(judgeBoot({ ...nothing, ...signs }, demand)).toBe(verdict);
});

test('without agent, marker and network nothing is ever passed', () => {
  const signs = fc.record({
    settledScreen: fc.boolean(),
    expired: fc.boolean(),
    failure: fc.option(fc.string()),
  });
  const demand = fc.constantFrom(serial, network, anyNetwork, byAgent, none);
  fc.assert(
    fc.property(signs, demand, (some, what) => {
      expect(judgeBoot({ ...nothing, ...some }, what)).not.toBe('passed');
    }),
  );
});

test('an address that was not seen is named in the evidence', () => {
  const list = listEvidence({ ...nothing, ...marker, ...wrongWire }, serial, 9);
  expect(list.find((one) => one.rung === 'network')).toMatchObject({
    passed: false,
    summary: '10.0.2.77 not seen; 10.0.2.15',
  });
  expect(list.find((one) => one.rung === 'serial-marker')).toMatchObject({ passed: true, summary: 'READY' });
});

test('the agent saying an address is no proof that the wire carries it', () => {
  const list = listEvidence({ ...nothing, ...agent }, serial, 9);
  expect(list.find((one) => one.rung === 'network')).toMatchObject({ passed: false });
});

test('a failure is reported on the console rung', () => {
  const list = listEvidence({ ...nothing, ...failure }, serial, 9);
  expect(list.find((one) => one.rung === 'serial-marker')).toMatchObject({
    passed: false,
    summary: 'the kernel panicked',
  });
});
