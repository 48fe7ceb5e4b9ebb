import { silentLogger } from '@ascend/runtime';
import { writtenDisks } from '@ascend/domain';
import { applyEdits } from '../apply/applyEdits.ts';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { workingTool } from './guestTree.ts';
import { buildLayoutGuest } from './layoutGuest.ts';
import { buildTinyGuest } from './tinyGuest.ts';
import { planTinyGuest, tinyNeeds, tinyNic, type PlannedTinyGuest } from './tinyPlan.ts';

// Run as a process of its own by the kill tests: prints its folder, then edits a guest whose tool never ends.
// Arguments: the executor, and `separate-boot` for a guest of two volumes.
const tool = workingTool.replace('set -e', 'set -e\nsleep 1000 & sleep 1000');
const executor = process.argv[2] === 'kernel' ? 'kernel' : 'rootless';

async function edit(
  folder: string,
  context: Parameters<typeof probeGuest>[0],
  planned: PlannedTinyGuest,
): Promise<void> {
  const report = (phase: string): void => {
    process.stdout.write(`${phase === 'mount' ? folder : phase}\n`);
  };
  await applyEdits({ ...context, ...planned, logger: silentLogger, report, executor });
}

if (process.argv[3] === 'separate-boot') {
  const part = { fileSystem: 'ext4', disk: 0, sizeMib: 32 } as const;
  const parts = [
    { ...part, mountPoint: '/' as const },
    { ...part, mountPoint: '/boot' as const },
  ];
  const layout = await buildLayoutGuest(parts, { tool });
  const context = { ...layout.context, images: layout.images };
  const guest = await probeGuest(context);
  const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
  const images = await layout.withOverlays(writtenDisks(guest));
  await edit(layout.folder, context, { images, guest, edits, needs: tinyNeeds });
} else {
  const tiny = await buildTinyGuest({ tool });
  await edit(tiny.folder, { ...tiny.context, images: [] }, await planTinyGuest(tiny));
}
