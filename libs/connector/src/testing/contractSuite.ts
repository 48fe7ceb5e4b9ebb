import { afterAll, beforeAll, describe } from 'vitest';
import { describeChecks } from './contractChecks.ts';
import { describeDisks } from './contractDisks.ts';
import { describeVms } from './contractVms.ts';
import { createWorld, type ConnectorHarness } from './suiteWorld.ts';

/**
 * The rules that every connector keeps, run against one platform. Opt-outs come from the capability record, never
 * from the test: every creating call twice gives one resource; a crash between call and token ends in adoption;
 * destroying nothing is success; listings show exactly what is ours.
 */
export function describeConnector(params: {
  readonly name: string;
  readonly setup: () => Promise<ConnectorHarness>;
}): void {
  describe(`connector contract: ${params.name}`, () => {
    let harness: ConnectorHarness | undefined;
    beforeAll(async () => {
      harness = await params.setup();
    });
    afterAll(async () => {
      await harness?.[Symbol.asyncDispose]();
    });
    const world = createWorld(() => {
      if (harness === undefined) throw new Error('the harness was not set up');
      return harness;
    });
    describeChecks(world);
    describeDisks(world);
    describeVms(world);
  });
}
