import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { createOverlay, openChain } from '@ascend/disk';
import { runProcess, silentLogger } from '@ascend/runtime';
import { applyEdits } from '../apply/applyEdits.ts';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { verifyEdits } from '../verify/verifyEdits.ts';
import { buildLayoutGuest } from './layoutGuest.ts';
import { tinyNeeds, tinyNic } from './tinyPlan.ts';

// Run by the test of unprivileged use, in a mount namespace of its own. As root: builds a guest of two volumes that belongs to an
// ordinary user, lets that user open FUSE (in this namespace only), and runs this file again as that user.
const ordinaryUid = 33;

async function runAsOrdinary(): Promise<void> {
  const part = { fileSystem: 'ext4', disk: 0, sizeMib: 32 } as const;
  await using tiny = await buildLayoutGuest([
    { ...part, mountPoint: '/' },
    { ...part, mountPoint: '/boot' },
  ]);
  const node = join(tiny.folder, 'fuse');
  await runProcess({ program: 'mknod', args: ['-m', '0666', node, 'c', '10', '229'] });
  await runProcess({ program: 'mount', args: ['--bind', node, '/dev/fuse'] });
  await runProcess({ program: 'chown', args: ['-R', `${ordinaryUid}:${ordinaryUid}`, tiny.folder] });
  for (const path of tiny.diskPaths) await chmod(path, 0o400);
  const script = process.argv[1] ?? '';
  const user = [`--reuid=${ordinaryUid}`, `--regid=${ordinaryUid}`, '--clear-groups', '--'];
  const again = await runProcess({
    program: 'setpriv',
    args: [...user, process.execPath, script, tiny.folder],
  });
  process.stdout.write(again.stdout);
}

async function editTiny(folder: string): Promise<void> {
  const chain = await openChain({ rootPath: folder, path: 'disk-0.raw', format: 'raw' });
  const context = {
    workDir: join(folder, 'work'),
    logger: silentLogger,
    signal: new AbortController().signal,
  };
  const images = [{ diskIndex: 0, image: { chain, overlays: [] } }];
  const guest = await probeGuest({ ...context, images });
  const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
  const path = join(context.workDir, 'overlay.partial.qcow2');
  await createOverlay({ image: { chain, overlays: [] }, path });
  const target = {
    images: [{ diskIndex: 0, image: { chain, overlays: [path] } }],
    guest,
    edits,
    needs: tinyNeeds,
  };
  await applyEdits({ ...context, ...target, report: () => undefined });
  const { findings } = await verifyEdits({ ...context, ...target });
  const uid = process.getuid?.() ?? 0;
  process.stdout.write(`${JSON.stringify({ uid, severities: findings.map(({ severity }) => severity) })}\n`);
}

const folder = process.argv[2];
await (folder === undefined ? runAsOrdinary() : editTiny(folder));
