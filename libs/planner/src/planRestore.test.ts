import { isBlocked } from '@ascend/domain';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical.ts';
import { diffInputs, inputsHash } from './inputs.ts';
import type { PlanParams } from './params.ts';
import { planRestore } from './planRestore.ts';
import {
  sampleAgent,
  sampleParams,
  samplePoint,
  sampleTargetFacts,
  withCapabilities,
  withGuest,
  withPolicy,
} from './testing/sampleParams.ts';

describe('a restore without obstacles', () => {
  const plan = planRestore(sampleParams());

  test('lists the steps in order with what each waits for', () => {
    expect(plan.steps.map((step) => [step.key, step.dependsOn])).toEqual([
      ['analyze-source', []],
      ['validate-target', []],
      ['prepare-guest', ['analyze-source', 'validate-target']],
      ['transfer-disk:0', ['prepare-guest']],
      ['transfer-disk:1', ['prepare-guest']],
      ['create-vm', ['transfer-disk:0', 'transfer-disk:1']],
      ['start-and-verify', ['create-vm']],
      ['configure-vm', ['start-and-verify']],
      ['finalize', ['configure-vm']],
    ]);
  });

  test('gives resources an undo order that follows their creation', () => {
    expect(
      plan.steps.flatMap((step) =>
        step.resources.map((resource) => [step.key, resource.resourceKey, resource.undoOrder]),
      ),
    ).toEqual([
      ['prepare-guest', 'overlay:0', 1],
      ['transfer-disk:0', 'disk', 2],
      ['transfer-disk:1', 'disk', 3],
      ['create-vm', 'vm', 4],
    ]);
  });

  test('says only that drivers will be injected, by name', () => {
    expect(plan.findings).toEqual(
      [
        {
          code: 'PLAN_DRIVER_INJECTED',
          severity: 'fixed',
          subject: 'guest',
          message: 'the boot image of kernel 6.1.0-18-amd64 lacks virtio_blk, virtio_pci, virtio_net',
          evidence: 'kernel 6.1.0-18-amd64, boot image /boot/initrd.img-6.1.0-18-amd64',
          action: 'virtio_blk, virtio_pci, virtio_net are added by initramfs-tools, permanently.',
        },
        {
          code: 'PLAN_NETWORK_GUESSED',
          severity: 'warning',
          subject: 'nic:0',
          message: 'network VM Network of nic 0 becomes user by guess',
          evidence: 'networks: user',
          action: expect.stringContaining('VM Network'),
        },
      ].sort((a, b) => (a.code < b.code ? 1 : -1)),
    );
    expect(isBlocked(plan.findings)).toBe(false);
  });

  test('keeps MAC, address and name of the interface', () => {
    expect(plan.nics).toEqual([
      {
        nicIndex: 0,
        mac: '00:50:56:aa:bb:01',
        model: 'virtio-net-pci',
        network: 'user',
        guestName: 'ens192',
        addresses: ['10.0.2.77/24'],
        rule: 'keep-mac-and-address',
      },
    ]);
  });

  test('describes the VM in words of the target', () => {
    expect(plan.vm).toMatchObject({
      name: 'pgtest1',
      cpuCount: 2,
      coresPerSocket: 1,
      osId: 'debian12',
      tags: { owner: 'db' },
      disks: [
        { diskIndex: 0, bus: 'virtio-blk', bootOrder: 1, vmwareDiskKey: 2000 },
        { diskIndex: 1, bus: 'virtio-blk', bootOrder: null, vmwareDiskKey: 2001 },
      ],
    });
  });

  test('names source and target with their agent', () => {
    expect(plan.source).toMatchObject({ agentId: 'agent-a', rootPath: '/srv/backups', platform: 'vmware' });
    expect(plan.source.disks[0]?.relPath).toBe('ctx-1/disk-0/inc2.qcow2');
    expect(plan.target).toEqual({ targetId: 'local', name: 'local', platform: 'kvm', agentId: 'agent-a' });
  });
});

describe('steps that follow the policy', () => {
  test('a raw restore that stays off has neither preparation nor start', () => {
    const plan = planRestore(withPolicy({ prepareGuest: false, powerOn: false }));
    expect(plan.steps.map((step) => step.key)).toEqual([
      'analyze-source',
      'validate-target',
      'transfer-disk:0',
      'transfer-disk:1',
      'create-vm',
      'configure-vm',
      'finalize',
    ]);
    expect(plan.estimate.scratchBytes).toBe(0);
  });

  test('a rehearsal stands between preparation and transfer and takes the boot slot of its agent', () => {
    const plan = planRestore(withPolicy({ bootTest: true }));
    const step = plan.steps.find((candidate) => candidate.kind === 'boot-test');
    expect(step?.dependsOn).toEqual(['prepare-guest']);
    expect(step?.concurrencyKeys).toEqual(['boot:agent-a']);
    expect(plan.steps.find((candidate) => candidate.key === 'transfer-disk:1')?.dependsOn).toEqual([
      'boot-test',
    ]);
  });

  test('an excluded disk is not transferred', () => {
    const plan = planRestore(withPolicy({ excludeDisks: [1, 1] }));
    // The fingerprint covers every disk, so the source must list the excluded one too.
    expect(plan.source.disks.map((disk) => disk.diskIndex)).toEqual([0, 1]);
    expect(plan.steps.filter((step) => step.kind === 'transfer-disk').map((step) => step.key)).toEqual([
      'transfer-disk:0',
    ]);
    expect(plan.findings.filter((found) => found.subject === 'disk:1')).toMatchObject([
      { code: 'PLAN_DISK_EXCLUDED', severity: 'warning' },
    ]);
  });

  test('a boot disk beside the root disk gets an overlay too', () => {
    const guest = { root: { diskIndex: 1, offsetBytes: 0, sizeBytes: 1, fileSystem: 'ext4' } };
    const plan = planRestore(withGuest(guest));
    const keys = plan.steps.flatMap((step) => step.resources.map((resource) => resource.resourceKey));
    expect(keys).toContain('overlay:0');
    expect(keys).toContain('overlay:1');
  });
});

function duration(acceleration: 'kvm' | 'tcg' | 'platform'): number {
  return planRestore(sampleParams({ targetFacts: { ...sampleTargetFacts, acceleration } })).estimate
    .durationP50Ms;
}

describe('the estimate', () => {
  test('takes measured rates when there are any', () => {
    const slow = { p50BytesPerSecond: 1024 ** 2, p90BytesPerSecond: 1024 ** 2 };
    const guess = planRestore(sampleParams()).estimate;
    const measured = planRestore(sampleParams({ history: slow })).estimate;
    expect(guess.bytesToMove).toBe(1200 * 1024 ** 2);
    expect(measured.durationP50Ms - guess.durationP50Ms).toBe(1_200_000 - 8_000);
    expect(measured.durationP90Ms).toBeGreaterThan(measured.durationP50Ms);
  });

  test('is as slow as the largest disk when each stream is capped', () => {
    const plain = planRestore(sampleParams()).estimate;
    const capped = planRestore(withPolicy({ bandwidthBytesPerSecond: 1024 ** 2 })).estimate;
    expect(capped.durationP50Ms - plain.durationP50Ms).toBe(600_000 - 8_000);
  });

  test('counts boots by what runs them', () => {
    expect(duration('tcg')).toBeGreaterThan(duration('platform'));
    expect(duration('platform')).toBeGreaterThan(duration('kvm'));
  });
});

describe('inputs', () => {
  const base = planRestore(sampleParams());
  const cases: readonly [string, PlanParams][] = [
    [
      'source.fingerprint',
      { ...sampleParams(), facts: { ...sampleParams().facts, fingerprint: 'sha256:01' } },
    ],
    ['source.guest', withGuest({ hostname: 'renamed' })],
    ['source.placement', sampleParams({ agents: [{ ...sampleAgent, repositories: { 'repo-1': '/mnt' } }] })],
    ['vm.spec', sampleParams({ vmSpec: null })],
    ['policy', withPolicy({ evidence: 'serial-marker' })],
    ['platform.data', { ...sampleParams(), platform: { ...sampleParams().platform, dataVersion: '2' } }],
    ['target.name-taken', sampleParams({ targetFacts: { ...sampleTargetFacts, vmNames: ['pgtest1'] } })],
    ['target.acceleration', sampleParams({ targetFacts: { ...sampleTargetFacts, acceleration: 'kvm' } })],
    ['target.fits-cpu', sampleParams({ targetFacts: { ...sampleTargetFacts, cpuCount: 1 } })],
    ['target.fits-memory', sampleParams({ targetFacts: { ...sampleTargetFacts, memoryBytes: 1 } })],
    ['backup.record', sampleParams({ restorePoint: { ...samplePoint, status: 'failed' } })],
  ];

  test.each(cases)('name %s when it changed', (name, params) => {
    const changed = planRestore(params);
    expect(changed.inputsHash).not.toBe(base.inputsHash);
    expect(diffInputs(base, changed).map((change) => change.name)).toEqual([name]);
  });

  test('stay the same when only free space, other VMs or capacity beyond need changed', () => {
    const plan = planRestore(
      sampleParams({
        targetFacts: {
          ...sampleTargetFacts,
          storages: [{ name: 'default', freeBytes: 90 * 1024 ** 3, totalBytes: 200 * 1024 ** 3 }],
          vmNames: ['another'],
          cpuCount: 0,
          memoryBytes: 0,
        },
      }),
    );
    expect(diffInputs(base, plan)).toEqual([]);
    expect(plan.inputsHash).toBe(base.inputsHash);
  });

  test('that only one plan knows are a change from or to nothing', () => {
    expect(diffInputs({ inputs: { a: '1' } }, { inputs: { b: '2' } })).toEqual([
      { name: 'a', before: '1', after: null },
      { name: 'b', before: null, after: '2' },
    ]);
  });

  test('hash to the same whatever their order', () => {
    expect(inputsHash({ a: '1', b: '2' })).toBe(inputsHash({ b: '2', a: '1' }));
  });
});

describe('canonical JSON', () => {
  test('does not depend on key order, at any depth', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x', left: undefined })).toBe(
      '{"a":"x","b":[{"c":null,"d":1}]}',
    );
  });

  test('reads back as the value it was made from', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

test('a target that takes disks only with the VM is refused', () => {
  expect(planRestore(withCapabilities({ importShape: 'import-vm' })).findings).toContainEqual(
    expect.objectContaining({ code: 'PLAN_IMPORT_UNSUPPORTED', severity: 'blocked' }),
  );
});
