import { silentLogger } from '@ascend/runtime';
import { writtenDisks } from '@ascend/domain';
import { applyEdits } from '../../apply/applyEdits.ts';
import { planEdits } from '../../edits/planEdits.ts';
import { probeGuest } from '../../probe/probeGuest.ts';
import { buildStripedGuest } from '../../testing/stripedGuest.ts';
import { tinyNeeds, tinyNic } from '../../testing/tinyPlan.ts';

// Run as a process of its own by the kill test: prints its folder, then edits a guest through an appliance. Argument: the cache folder.
const disks = await buildStripedGuest();
process.stdout.write(`${disks.folder}\n`);
const appliance = { cacheDir: process.argv[2] ?? '', acceleration: 'tcg' as const, keys: [] };
const guest = await probeGuest({ ...disks.context, images: disks.images, executor: 'host' });
const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic], executor: 'auto' });
const images = await disks.withOverlays(writtenDisks(guest));
await applyEdits({
  ...disks.context,
  images,
  guest,
  edits,
  needs: tinyNeeds,
  appliance,
  logger: silentLogger,
  report: () => undefined,
});
