import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startNatsServer, type TestNatsServer } from '@ascend/bus/testing';

let server: TestNatsServer;

beforeAll(async () => {
  server = await startNatsServer();
});

afterAll(async () => {
  await server.dispose();
});

// The bus's own tests run beside this one, found by the project's list: without this check they could run on Debian's server unseen.
test('the tests of the bus run on the release that this group names', async () => {
  const connection = await server.control();
  expect(`v${connection.nats.info?.version}`).toBe(inject('natsVersion'));
});
