import type { StepKind } from '@ascend/domain';
import { analyzeSource } from './analyzeSource/handler.ts';
import { bootTest } from './bootTest/handler.ts';
import { configureVm } from './configureVm/handler.ts';
import { createVm } from './createVm/handler.ts';
import { finalize } from './finalize/handler.ts';
import { prepareGuest } from './prepareGuest/handler.ts';
import { startAndVerify } from './startAndVerify/handler.ts';
import type { StepHandler } from './stepHandler.ts';
import { transferDisk } from './transferDisk/handler.ts';
import { validateTarget } from './validateTarget/handler.ts';

/** The code of every kind of step. */
export const handlers: Readonly<Record<StepKind, StepHandler>> = {
  'analyze-source': analyzeSource,
  'validate-target': validateTarget,
  'prepare-guest': prepareGuest,
  'boot-test': bootTest,
  'transfer-disk': transferDisk,
  'create-vm': createVm,
  'start-and-verify': startAndVerify,
  'configure-vm': configureVm,
  finalize,
};
