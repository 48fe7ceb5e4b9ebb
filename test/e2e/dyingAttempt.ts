// One attempt of a step on the local target that ends by kill -9 at the worst time: when a resource that was made is
// about to be noted, or while the boot of a VM that was started is watched.
//   node dyingAttempt.ts attempt.json   (operation, workDir, connection)
import { readFile } from 'node:fs/promises';
import { ownedName } from '@ascend/domain';
import { kvmConnector } from '@ascend/platform-kvm';
import { Secret, silentLogger, systemClock } from '@ascend/runtime';
import { handlers, type StepOperation } from '@ascend/steps';

interface Attempt {
  readonly operation: StepOperation;
  readonly workDir: string;
  readonly connection: unknown;
}

const attempt: Attempt = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8'));
const { operation, workDir, connection } = attempt;
const deps = { logger: silentLogger, clock: systemClock, secrets: async () => new Secret(''), workDir };
await handlers[operation.kind].run({
  operation,
  logger: silentLogger,
  clock: systemClock,
  signal: new AbortController().signal,
  workDir,
  target: {
    targetId: 'target-1',
    guestNeeds: kvmConnector.guestNeeds,
    open: () => kvmConnector.open(kvmConnector.parseConnection(connection), deps),
  },
  report: ({ phase }) => {
    if (operation.kind === 'start-and-verify' && phase !== 'start') process.kill(process.pid, 'SIGKILL');
  },
  checkpoint: async () => undefined,
  ledger: {
    present: async () => {
      process.kill(process.pid, 'SIGKILL');
      await systemClock.sleep(60_000);
    },
    gone: async () => undefined,
  },
  nameOf: (resourceKey) => ownedName(operation.jobId, operation.stepKey, resourceKey),
});
