import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blockdevArgument, fileBlockdev, imageBlockdev, openChain } from '@ascend/disk';
import { restoreReportSchema } from '@ascend/protocol';
import { runProcess } from '@ascend/runtime';
import { z } from 'zod';
import { imagePath, type BuiltBackup } from '../guests/builtBackup.ts';
import { microBackup } from '../guests/microGuest.ts';
import { agentRssMib, peakAgentRssMib } from '../system/agentMemory.ts';
import { root, startAscend, type AscendSystem } from '../system/ascendSystem.ts';
import { addMicroBackup, startMicro, untilMoving, untilState } from '../system/microRestore.ts';

const mib = 1024 ** 2;
const dataDiskBytes = 1.5 * 1024 ** 4;
const diskOutputSchema = z.object({ ref: z.object({ name: z.string() }), resumedFromBytes: z.number() });

let system: AscendSystem;
let built: BuiltBackup;
const lines: string[] = [];

beforeAll(async () => {
  built = await microBackup({ cacheDir: join(root, '.ascend/cache'), dataDiskBytes });
  system = await startAscend();
  await addMicroBackup(system, dataDiskBytes);
});

afterAll(async () => {
  await system?.stop();
  const text = `# Long tests: last run\n\nWritten by \`test/run.sh --nightly\`, ${new Date().toISOString().slice(0, 10)}.\n\n| what | seen |\n| --- | --- |\n${lines.join('\n')}\n`;
  await writeFile(join(root, 'test/nightly/RESULTS.md'), text);
});

function diskPath(disk: z.infer<typeof diskOutputSchema> | undefined): string {
  return join(system.dir, 'disks', `${disk?.ref.name}.qcow2`);
}

async function sameAsRestorePoint(diskIndex: number, restoredPath: string): Promise<string> {
  const chain = await openChain({
    rootPath: system.repository,
    path: imagePath(built, diskIndex, 'inc2'),
    format: 'qcow2',
  });
  const source = blockdevArgument(imageBlockdev({ chain, overlays: [] }, { readOnly: true }));
  const restored = blockdevArgument(fileBlockdev(restoredPath, 'qcow2', { readOnly: true }));
  const { stdout } = await runProcess({
    program: 'qemu-img',
    args: ['compare', source, restored],
  });
  return stdout.trim();
}

it('a VM with a 1.5 TiB sparse disk goes through the whole system, is interrupted and resumed once, with flat memory', async () => {
  const idle = await agentRssMib(system);
  const id = await startMicro(system, 'inc2', 'big', ['--bandwidth', '1M']);
  await untilMoving(system, id, 'transfer-disk:1', 2 * mib);
  const peakBefore = await agentRssMib(system);
  // Long enough for at least one confirmed offset (every 5 s).
  await delay(8000);
  await system.killAgent();
  await system.startAgent();
  const peak = Math.max(peakBefore, await peakAgentRssMib(system, id));
  const restore = await untilState(system, id, ['completed', 'failed'], 900);
  expect(restore.error).toBeNull();
  const report = restoreReportSchema.parse(await system.json(['restore', 'report', id]));
  expect(report.report).not.toBeNull();
  const disks = restore.steps
    .filter((step) => step.kind === 'transfer-disk')
    .map((step) => diskOutputSchema.parse(step.output));
  const resumed = disks.map((disk) => disk.resumedFromBytes);
  expect(Math.max(...resumed)).toBeGreaterThan(0);
  // The guest mounts its disks read-only; switched off, the files are as they were transferred.
  await runProcess({
    program: process.execPath,
    args: ['deploy/localVms.ts', 'stop', system.targetState],
    cwd: root,
  });
  const compared = [
    await sameAsRestorePoint(0, diskPath(disks[0])),
    await sameAsRestorePoint(1, diskPath(disks[1])),
  ];
  expect(compared).toEqual(['Images are identical.', 'Images are identical.']);
  lines.push(
    `| agent idle | ${idle.toFixed(0)} MiB |`,
    `| agent at its peak, two disks in flight (96 MiB and 1.5 TiB virtual) | ${peak.toFixed(0)} MiB |`,
    `| resumed after kill -9 at | ${resumed.map((bytes) => `${(bytes / mib).toFixed(0)} MiB`).join(', ')} |`,
    `| qemu-img compare of both disks with the restore point | identical |`,
  );
  expect(idle).toBeLessThan(110);
  expect(peak).toBeLessThan(110 + 2 * 56);
});
