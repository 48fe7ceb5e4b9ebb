import { expect, test } from 'vitest';
import type { Connector, TargetSession } from '@ascend/connector';
import { Secret, silentLogger, systemClock } from '@ascend/runtime';
import { createTargetAccess } from './targetAccess.ts';

const calls: string[] = [];
const signal = new AbortController().signal;

/** Answers every call with nothing and writes it down. */
function note(name: string): () => Promise<never> {
  return async () => {
    calls.push(name);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no caller here looks at the answer
    return await Promise.resolve(undefined as never);
  };
}

const session: TargetSession = {
  inventory: note('inventory'),
  check: note('check'),
  openSink: note('openSink'),
  digest: note('digest'),
  createVm: note('createVm'),
  powerOn: note('powerOn'),
  powerOff: note('powerOff'),
  verifyBoot: note('verifyBoot'),
  configureVm: note('configureVm'),
  findOwned: note('findOwned'),
  destroy: note('destroy'),
  [Symbol.asyncDispose]: note('dispose'),
};

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the capabilities are not looked at here
const connector = {
  platform: 'kvm',
  guestNeeds: [{ id: 'only' }],
  parseConnection: (input: unknown) => ({ parsed: input }),
  open: async () => await Promise.resolve(session),
} as unknown as Connector;

const deps = {
  logger: silentLogger,
  clock: systemClock,
  secrets: async () => await Promise.resolve(new Secret('x')),
  workDir: '/nowhere',
};
const target = { targetId: 't', platform: 'kvm', connection: {} };
const connectors = { kvm: async () => await Promise.resolve(connector) };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parameters are not looked at here
const nothing = {} as never;

type Call = readonly [string, (open: TargetSession) => Promise<unknown>];

const changing: readonly Call[] = [
  ['openSink', async (open) => await open.openSink(nothing)],
  ['createVm', async (open) => await open.createVm(nothing)],
  ['powerOn', async (open) => await open.powerOn(nothing, signal)],
  ['powerOff', async (open) => await open.powerOff(nothing, signal)],
  ['configureVm', async (open) => await open.configureVm(nothing)],
  ['destroy', async (open) => await open.destroy(nothing, signal)],
];
const reading: readonly Call[] = [
  ['inventory', async (open) => await open.inventory(signal)],
  ['check', async (open) => await open.check(nothing)],
  ['verifyBoot', async (open) => await open.verifyBoot(nothing)],
  ['digest', async (open) => await open.digest?.(nothing, signal)],
  ['findOwned', async (open) => await open.findOwned('job', signal)],
  ['dispose', async (open) => await open[Symbol.asyncDispose]()],
];

async function throughGate(isOpen: boolean): Promise<TargetSession> {
  calls.length = 0;
  const gate = async (): Promise<void> => {
    calls.push('gate');
    await (isOpen ? Promise.resolve() : Promise.reject(new Error('no contact')));
  };
  const access = await createTargetAccess({ target, connectors, deps, gate });
  return await access.open();
}

test.each(changing)(
  '%s changes the target: it waits at the gate and does not happen when that is shut',
  async (name, call) => {
    await call(await throughGate(true));
    expect(calls).toEqual(['gate', name]);
    const shut = await throughGate(false);
    await expect(call(shut)).rejects.toThrow('no contact');
    expect(calls).toEqual(['gate']);
  },
);

test.each(reading)('%s only looks: it passes without the gate', async (name, call) => {
  await call(await throughGate(false));
  expect(calls).toEqual([name]);
});

test('needs of the platform are there without a session, and without a gate the session is the connector’s own', async () => {
  const access = await createTargetAccess({ target, connectors, deps });
  expect(access.guestNeeds).toEqual([{ id: 'only' }]);
  expect(await access.open()).toBe(session);
});

test.each(['toaster', 'toString', ''])(
  'a platform %j without connector is refused with its code',
  async (platform) => {
    const asked = createTargetAccess({ target: { ...target, platform }, connectors, deps });
    await expect(asked).rejects.toMatchObject({
      code: 'AGENT_CONNECTOR_MISSING',
      details: { platform, shipped: ['kvm'] },
    });
  },
);
