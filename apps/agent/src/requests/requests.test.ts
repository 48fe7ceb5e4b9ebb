import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TargetFacts } from '@ascend/domain';
import type { TargetSession } from '@ascend/connector';
import { AppError } from '@ascend/errors';
import { address, createBench, type Bench } from '../testing/bench.ts';
import { createFakeToolbox } from '../testing/fakeToolbox.ts';

let bench: Bench;
const scanned: string[] = [];
const secretsSeen: string[] = [];
let refusal: AppError | null = null;

const facts: TargetFacts = {
  targetId: 't',
  apiVersion: '1',
  storages: [],
  networks: [],
  vmNames: [],
  cpuCount: 1,
  memoryBytes: 1,
  acceleration: 'none',
  fetchedAt: '2026-11-20T00:00:00Z',
};

const unused = async (): Promise<never> => await Promise.reject(new Error('not part of this test'));

const session: TargetSession = {
  inventory: async () => await Promise.resolve(facts),
  check: unused,
  openSink: unused,
  createVm: unused,
  powerOn: unused,
  powerOff: unused,
  verifyBoot: unused,
  configureVm: unused,
  findOwned: unused,
  destroy: unused,
  [Symbol.asyncDispose]: async () => await Promise.resolve(),
};

beforeAll(async () => {
  bench = await createBench();
  const kvm = createFakeToolbox().connectors.kvm;
  await bench.startHere({
    scan: async ({ rootPath }) => {
      scanned.push(rootPath);
      return await Promise.resolve({ contexts: [], skipped: [] });
    },
    analyze: async ({ backupId, workDir, disks }) => {
      await Promise.resolve();
      throw new AppError({
        code: 'INPUT_INVALID',
        message: `${backupId} ${String(workDir.includes('requests'))} ${disks.length}`,
      });
    },
    connectors: {
      kvm: async () => ({
        ...(await kvm!()),
        open: async (_connection, deps) => {
          if (refusal !== null) throw refusal;
          secretsSeen.push((await deps.secrets('password')).reveal(), String(await deps.secrets('password')));
          return session;
        },
      }),
    },
  });
  await bench.until(() => bench.hellos.length > 0, 'the hello');
});

afterAll(async () => {
  await bench.dispose();
});

const target = { targetId: 't', platform: 'kvm', connection: {} };
const soon = { deadlineMs: 10_000 };

test('a scan reaches only configured repositories', async () => {
  const root = `${bench.dir}/vault`;
  await bench.control.request(address, 'scan', { rootPath: `${root}/` }, soon);
  expect(scanned).toEqual([root]);
  for (const rootPath of ['/etc', `${root}/../..`]) {
    await expect(bench.control.request(address, 'scan', { rootPath }, soon)).rejects.toMatchObject({
      code: 'AGENT_REPOSITORY_UNKNOWN',
    });
  }
  const probe = bench.control.request(address, 'probe-images', { rootPath: '/etc', paths: ['passwd'] }, soon);
  await expect(probe).rejects.toMatchObject({ code: 'AGENT_REPOSITORY_UNKNOWN' });
});

test('an analysis gets a scratch folder of its own', async () => {
  const body = {
    knownFingerprint: null,
    backupId: 'b1',
    rootPath: `${bench.dir}/vault`,
    disks: [{ diskIndex: 0, path: 'a', format: 'qcow2' }],
  };
  await expect(bench.control.request(address, 'analyze', body, soon)).rejects.toThrow('b1 true 1');
});

test('an inventory opens the target with a secret that was sealed to this agent', async () => {
  expect(await bench.control.request(address, 'inventory', { target }, soon)).toEqual(facts);
  expect(secretsSeen).toEqual(['secret of t/password', '[secret]']);
  expect(await bench.control.request(address, 'check-target', { target }, soon)).toEqual([]);
});

test('a target that does not let us in is a finding of its check, and an error of its inventory', async () => {
  const wrong = { targetId: 't', platform: 'toaster', connection: {} };
  const findings = await bench.control.request(address, 'check-target', { target: wrong }, soon);
  expect(findings).toMatchObject([
    { code: 'AGENT_CONNECTOR_MISSING', severity: 'blocked', subject: 'target' },
  ]);
  await expect(bench.control.request(address, 'inventory', { target: wrong }, soon)).rejects.toMatchObject({
    code: 'AGENT_CONNECTOR_MISSING',
  });
  refusal = new AppError({ code: 'INTERNAL_BUG', message: 'oops' });
  await expect(bench.control.request(address, 'check-target', { target }, soon)).rejects.toMatchObject({
    code: 'INTERNAL_BUG',
  });
  refusal = null;
});
