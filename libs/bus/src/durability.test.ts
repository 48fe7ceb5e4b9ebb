import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StepCommand } from '@ascend/protocol';
import { createAgentBus } from './agentSide.ts';
import type { CommandHandler } from './commands.ts';
import { createControlBus, type ControlBus } from './control.ts';
import type { BusConnection } from './connection.ts';
import { createSealingKey, sealTo } from './sealing.ts';
import {
  sampleCommand,
  sampleEvent,
  startNatsServer,
  waitFor,
  type TestNatsServer,
} from './testing/index.ts';

const address = { siteId: 'north', agentId: 'alpha' };
const { signal } = new AbortController();

let server: TestNatsServer;
let controlConnection: BusConnection;
let control: ControlBus;

beforeEach(async () => {
  server = await startNatsServer();
  controlConnection = await server.control();
  control = createControlBus(controlConnection);
  await control.ensureStreams();
  await control.ensureConsumer(address, { ackWaitMs: 3_000 });
});

afterEach(async () => {
  await server.dispose();
});

function collect(seen: string[]): CommandHandler {
  const take = async (opId: string): Promise<void> => {
    seen.push(opId);
    await Promise.resolve();
  };
  return {
    run: async (command: StepCommand) => await take(command.opId),
    refuse: async (head) => await take(`refused ${head.opId}`),
  };
}

const ops = Array.from({ length: 20 }, (_, index) => `op-${index}`);

test('commands queued while nats-server is killed are all delivered afterwards', async () => {
  for (const opId of ops) await control.publishCommand(address, sampleCommand({ opId }), { signal });
  await server.kill();
  const during = control.publishCommand(address, sampleCommand({ opId: 'during' }), { signal });
  await server.start();
  await during;
  const seen: string[] = [];
  const pulling = createAgentBus(await server.agent(address), address).pullCommands({
    slots: 4,
    handler: collect(seen),
  });
  await waitFor(() => new Set(seen).size === 21, '21 commands');
  await pulling.stop();
  expect(new Set(seen)).toEqual(new Set([...ops, 'during']));
});

test('a command published twice under one message id is delivered once, under another id twice', async () => {
  const command = sampleCommand({ opId: 'one' });
  expect(await control.publishCommand(address, command, { signal })).toEqual({ duplicate: false });
  expect(await control.publishCommand(address, command, { signal })).toEqual({ duplicate: true });
  await control.publishCommand(address, command, { signal, msgId: 'one#2' });
  await control.publishCommand(address, sampleCommand({ opId: 'last' }), { signal });
  const seen: string[] = [];
  const bus = createAgentBus(await server.agent(address), address);
  const pulling = bus.pullCommands({ slots: 1, handler: collect(seen) });
  await waitFor(() => seen.includes('last'), 'the last command');
  await pulling.stop();
  expect(seen).toEqual(['one', 'one', 'last']);
});

test('after the total loss of the store, streams and consumers come back and re-published work is done', async () => {
  const seen: string[] = [];
  const bus = createAgentBus(await server.agent(address), address);
  const pulling = bus.pullCommands({ slots: 4, handler: collect(seen) });
  await control.publishCommand(address, sampleCommand({ opId: 'before' }), { signal });
  await waitFor(() => seen.length === 1, 'the first command');
  const events: string[] = [];
  const consuming = control.consumeEvents(async (event) => {
    events.push(event.eventId);
    await Promise.resolve();
  });
  await server.kill();
  await server.start({ loseStore: true });
  await control.publishCommand(address, sampleCommand({ opId: 'after' }), { signal });
  await waitFor(() => seen.includes('after'), 'the re-published command');
  await bus.publishEvent(sampleEvent({ eventId: 'event-after' }), signal);
  await waitFor(() => events.includes('event-after'), 'an event after the loss');
  await pulling.stop();
  await consuming.stop();
  expect(events).toEqual(['event-after']);
});

test('a command whose agent dies before the acknowledgement is delivered to the next one', async () => {
  await control.publishCommand(address, sampleCommand({ opId: 'orphan' }), { signal });
  const first = await server.agent(address);
  const started = Promise.withResolvers<void>();
  createAgentBus(first, address).pullCommands({
    slots: 1,
    handler: {
      run: async () => {
        started.resolve();
        await new Promise<never>(() => undefined);
      },
      refuse: async () => await Promise.resolve(),
    },
  });
  await started.promise;
  await first.nats.close();
  const deliveries: number[] = [];
  const bus = createAgentBus(await server.agent(address), address);
  const pulling = bus.pullCommands({
    slots: 1,
    handler: {
      run: async (_command, delivery) => {
        deliveries.push(delivery);
        await Promise.resolve();
      },
      refuse: async () => await Promise.resolve(),
    },
  });
  await waitFor(() => deliveries.length === 1, 'the redelivery', 15_000);
  expect(deliveries[0]).toBeGreaterThanOrEqual(2);
  await pulling.stop();
});

test('a command that is in work for longer than the ack wait is not delivered a second time', async () => {
  await control.publishCommand(address, sampleCommand({ opId: 'long' }), { signal });
  await control.publishCommand(address, sampleCommand({ opId: 'next' }), { signal });
  const seen: string[] = [];
  const bus = createAgentBus(await server.agent(address), address);
  const pulling = bus.pullCommands({
    slots: 2,
    handler: {
      run: async (command, delivery) => {
        seen.push(`${command.opId}/${delivery}`);
        await new Promise((resolve) => setTimeout(resolve, command.opId === 'long' ? 7_000 : 0));
      },
      refuse: async () => await Promise.resolve(),
    },
  });
  await waitFor(() => seen.length === 2, 'both commands');
  await new Promise((resolve) => setTimeout(resolve, 7_500));
  await pulling.stop();
  expect(seen).toEqual(['long/1', 'next/1']);
});

test('an event whose handler fails is delivered again, one that is stored is not', async () => {
  const bus = createAgentBus(await server.agent(address), address);
  const deliveries: string[] = [];
  const consuming = control.consumeEvents(async (event, origin) => {
    deliveries.push(`${event.eventId}/${origin.delivery}/${origin.address.agentId}`);
    if (event.eventId === 'bad' && origin.delivery === 1) throw new Error('database away');
    await Promise.resolve();
  });
  await bus.publishEvent(sampleEvent({ eventId: 'bad' }), signal);
  await bus.publishEvent(sampleEvent({ eventId: 'good' }), signal);
  await bus.publishEvent(sampleEvent({ eventId: 'good' }), signal);
  await waitFor(() => deliveries.length === 3, 'three deliveries');
  await consuming.stop();
  expect(deliveries).toEqual(['bad/1/alpha', 'good/1/alpha', 'bad/2/alpha']);
});

test('a command of another version is refused with its head, rubbish is dropped and does not block', async () => {
  const { nats } = controlConnection;
  const subject = 'ascend.v1.cmd.north.alpha.analyze-source';
  nats.publish(subject, 'rubbish');
  nats.publish(subject, '{}');
  nats.publish(subject, JSON.stringify({ ...sampleCommand({ opId: 'odd' }), plan: { planVersion: 9 } }));
  await nats.flush();
  await control.publishCommand(address, sampleCommand({ opId: 'fine' }), { signal });
  const seen: string[] = [];
  const bus = createAgentBus(await server.agent(address), address);
  const pulling = bus.pullCommands({ slots: 1, handler: collect(seen) });
  await waitFor(() => seen.includes('fine'), 'the good command');
  await pulling.stop();
  expect(seen).toEqual(['refused odd', 'fine']);
});

test('events that are not readable or carry a foreign job id are dropped', async () => {
  const agent = await server.agent(address);
  const bus = createAgentBus(agent, address);
  const seen: string[] = [];
  const consuming = control.consumeEvents(async (event) => {
    seen.push(event.eventId);
    await Promise.resolve();
  });
  agent.nats.publish('ascend.v1.evt.north.alpha.job-1', 'rubbish');
  agent.nats.publish('ascend.v1.evt.north.alpha.job-1', '{"v":1}');
  agent.nats.publish(
    'ascend.v1.evt.north.alpha.job-1',
    JSON.stringify(sampleEvent({ eventId: 'x', jobId: 'job-2' })),
  );
  await bus.publishEvent(sampleEvent({ eventId: 'good' }), signal);
  await waitFor(() => seen.length === 1, 'the good event');
  await consuming.stop();
  expect(seen).toEqual(['good']);
});

test('a secret sealed into a command never lies in the stream files as plain text', async () => {
  const plain = 'correct-horse-battery-staple';
  const [sender, receiver] = [createSealingKey(), createSealingKey()];
  const sealed = sealTo({
    senderSeed: sender.seed,
    recipient: receiver.publicKey,
    plain: Buffer.from(plain),
  });
  await control.publishCommand(address, sampleCommand({ opId: 'marker-op', outputs: { sealed } }), {
    signal,
  });
  await server.stop();
  const names = await readdir(server.storeDir, { recursive: true, withFileTypes: true });
  const files = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name));
  const contents = await Promise.all(files.map(async (file) => await readFile(file)));
  const all = Buffer.concat(contents).toString('latin1');
  expect(all).toContain('marker-op');
  expect(all).toContain(sealed);
  expect(all).not.toContain(plain);
  expect(all).not.toContain(Buffer.from(plain).toString('base64').slice(0, 20));
});
