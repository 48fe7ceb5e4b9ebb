import { stepKey } from '@ascend/domain';
import { readOutput } from '../priorOutput.ts';
import type { StepContext, StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import { transferDiskOutputSchema } from '../transferDisk/output.ts';
import { vmRefSchema, type CreateVmOutput } from './output.ts';

const resourceKey = 'vm';

async function create(context: StepContext): Promise<Omit<CreateVmOutput, 'startedAtMs' | 'endedAtMs'>> {
  const { operation, signal } = context;
  const { plan, jobId } = operation;
  const disks = plan.disks
    .toSorted((left, right) => left.diskIndex - right.diskIndex)
    .map((planned) => {
      const key = stepKey('transfer-disk', planned.diskIndex);
      return { planned, ref: readOutput(operation, key, transferDiskOutputSchema).ref };
    });
  await using session = await context.target.open();
  const vm = await session.createVm({
    jobId,
    ownedName: context.nameOf(resourceKey),
    vm: plan.vm,
    firmware: plan.firmware,
    disks,
    nics: plan.nics,
    signal,
  });
  await context.ledger.present(resourceKey, vm);
  return { vm };
}

/**
 * Creates the VM, powered off, with its disks in `disk_index` order. After a crash the next attempt adopts the VM by its
 * deterministic name. Undo powers it off and removes it; "not there" is success.
 */
export const createVm: StepHandler = {
  kind: 'create-vm',
  run: (context) => timed(context, () => create(context)),
  undo: async (context, entry) => {
    await using session = await context.target.open();
    const vm = vmRefSchema.safeParse(entry.token);
    // Without a token nothing was seen to exist; destroy finds the VM by its owned name, running or not.
    if (vm.success) await session.powerOff(vm.data, context.signal);
    await session.destroy(entry, context.signal);
  },
};
