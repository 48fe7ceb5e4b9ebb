import { appendFileSync } from 'node:fs';
import type { HostCapabilities } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { StepContext, StepHandler } from '@ascend/steps';
import type { Toolbox } from '../toolbox.ts';

/** What the fake step is told through `outputs.script` of the command. */
export interface Script {
  readonly ticks: number;
  readonly tickMs: number;
  /** Every start and end is one line here. */
  readonly file: string;
  readonly fail?: boolean;
  /** Size of the output. */
  readonly outputBytes?: number;
}

const capabilities: HostCapabilities = {
  qemuVersion: '7.2.0',
  qemuImgVersion: '7.2.0',
  storageDaemonFuse: true,
  nbdKernel: false,
  kvmWorks: false,
  libguestfsVersion: null,
  fuse2fs: true,
  bubblewrap: true,
  runsAsRoot: true,
  cpuCount: 2,
  memoryBytes: 1_000_000,
  scratchFreeBytes: 1,
};

function readScript(context: StepContext): Script {
  const script = context.operation.outputs['script'];
  const fallback: Script = { ticks: 1, tickMs: 1, file: '/dev/null' };
  return typeof script === 'object' && script !== null ? { ...fallback, ...script } : fallback;
}

async function copy(context: StepContext): Promise<unknown> {
  const { ticks, tickMs, file, fail, outputBytes } = readScript(context);
  const { checkpoint, opId } = context.operation;
  const from = typeof checkpoint === 'number' ? checkpoint : 0;
  appendFileSync(file, `start ${opId} from ${from}\n`);
  for (let tick = from; tick < ticks; tick += 1) {
    if (context.signal.aborted) {
      appendFileSync(file, `stopped ${opId} at ${tick}\n`);
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'copy: stopped' });
    }
    await context.clock.sleep(tickMs);
    await context.checkpoint(tick + 1);
    context.report({ phase: 'copy', bytesDone: tick + 1, bytesTotal: ticks, bytesSkipped: 0 });
  }
  if (fail === true) throw new AppError({ code: 'INPUT_INVALID', message: 'copy: told to fail' });
  await context.ledger.present('disk', { name: context.nameOf('disk') });
  appendFileSync(file, `end ${opId}\n`);
  const filler = outputBytes === undefined ? {} : { filler: 'x'.repeat(outputBytes) };
  return { copied: ticks, resumedFrom: from, ...filler };
}

const transfer: StepHandler = {
  kind: 'transfer-disk',
  run: copy,
  undo: async (context, entry) => {
    appendFileSync(readScript(context).file, `undo ${entry.resourceKey} ${JSON.stringify(entry.token)}\n`);
    await context.ledger.gone(entry.resourceKey);
  },
};

const unused = async (): Promise<never> => {
  await Promise.resolve();
  throw new AppError({ code: 'INPUT_INVALID', message: 'not part of this test' });
};

/** A toolbox without platforms and disks: one scripted step kind. */
export function createFakeToolbox(some: Partial<Toolbox> = {}): Toolbox {
  return {
    connectors: {
      kvm: async () =>
        await Promise.resolve({
          platform: 'kvm',
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no test looks into them
          capabilities: {} as never,
          guestNeeds: [],
          parseConnection: () => ({}),
          open: unused,
        }),
    },
    handlers: async () => await Promise.resolve({ 'transfer-disk': transfer }),
    probeHost: async () => await Promise.resolve(capabilities),
    analyze: unused,
    scan: unused,
    probeImages: unused,
    ...some,
  };
}
