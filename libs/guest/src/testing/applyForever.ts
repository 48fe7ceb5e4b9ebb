import { silentLogger } from '@ascend/runtime';
import { applyEdits } from '../apply/applyEdits.ts';
import { workingTool } from './guestTree.ts';
import { buildTinyGuest } from './tinyGuest.ts';
import { planTinyGuest } from './tinyPlan.ts';

// Run as a process of its own by the kill test: prints its folder, then edits a guest whose tool never ends.
const tool = workingTool.replace('set -e', 'set -e\nsleep 1000 & sleep 1000');
const tiny = await buildTinyGuest({ tool });
const planned = await planTinyGuest(tiny);
const report = (phase: string): void => {
  process.stdout.write(`${phase === 'mount' ? tiny.folder : phase}\n`);
};
const executor = process.argv[2] === 'kernel' ? 'kernel' : 'rootless';
await applyEdits({ ...tiny.context, ...planned, logger: silentLogger, report, executor });
