import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, openChain, type DiskImage } from '@ascend/disk';
import type { GuestFacts } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withVolumeFile } from '../apply/volumeFile.ts';
import type { GuestEdit } from '../edits/guestEdit.ts';
import { openDisks } from '../probe/openDisks.ts';
import { readLayout } from '../volumes/volumeFacts.ts';
import { applyEspEdits, verifyEspEdits } from './espEdits.ts';
import { readEsp } from './readEsp.ts';

const mib = 1024 * 1024;
const espBytes = 16 * mib;
let folder: string;
let image: DiskImage;

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function makeDisk(path: string): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(espBytes + 2 * mib);
  await file.close();
  const table = `label: gpt\nstart=2048, size=${espBytes / 512}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n`;
  await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: table });
  const at = `${path}@@1M`;
  const run = (program: string, ...args: string[]) => runProcess({ program, args: ['-i', at, ...args] });
  await run('mformat', '-T', String(espBytes / 512), '::');
  for (const name of ['::/EFI', '::/EFI/debian', '::/EFI/a b']) await run('mmd', name);
  const program = join(folder, 'program');
  for (const name of ['debian/shimx64.efi', 'debian/grubx64.efi', 'a b/odd;name.efi', 'debian/grub.cfg']) {
    await writeFile(program, name.repeat(5000));
    await run('mcopy', program, `::/EFI/${name}`);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-esp-'));
  await makeDisk(join(folder, 'disk.raw'));
  image = { chain: await openChain({ rootPath: folder, path: 'disk.raw', format: 'raw' }), overlays: [] };
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const context = () => ({ workDir: folder, signal: AbortSignal.timeout(60_000) });

async function probe(): Promise<NonNullable<GuestFacts['esp']>> {
  const images = [{ diskIndex: 0, image }];
  await using opened = await openDisks(images, context());
  const layout = await readLayout(opened.disks);
  const { esp, remarks } = await readEsp({ layout, mounts: [], rootDisk: 0 }, { images, ...context() });
  expect(remarks).toEqual([]);
  if (esp === null) throw new Error('no EFI system partition was found');
  return esp;
}

it('the boot programs are read, and nothing whose name could mean something else', async () => {
  expect(await probe()).toEqual({
    diskIndex: 0,
    offsetBytes: mib,
    sizeBytes: espBytes,
    programs: ['EFI/debian/shimx64.efi', 'EFI/debian/grubx64.efi'],
  });
});

it('the copies are on the overlay with all their bytes, the backup is as before, and a lack is found', async () => {
  const esp = await probe();
  const before = await sha256(join(folder, 'disk.raw'));
  const overlay = join(folder, 'overlay.qcow2');
  await createOverlay({ image, path: overlay });
  const edits: GuestEdit[] = [
    { kind: 'copy-efi-file', from: 'EFI/debian/grubx64.efi', to: 'EFI/BOOT/grubx64.efi', reason: 'r' },
    { kind: 'copy-efi-file', from: 'EFI/debian/shimx64.efi', to: 'EFI/BOOT/BOOTX64.EFI', reason: 'r' },
  ];
  const work = { image: { ...image, overlays: [overlay] }, esp, edits };
  const lacking = await verifyEspEdits({ ...work, ...context() });
  expect(lacking.findings.map(({ severity }) => severity)).toEqual(['blocked', 'blocked']);
  await applyEspEdits({ ...work, ...context() });
  await applyEspEdits({ ...work, ...context() });
  const verified = await verifyEspEdits({ ...work, ...context() });
  expect(verified.findings.map(({ severity }) => severity)).toEqual(['ok', 'ok']);
  expect(verified.diff.map(({ path }) => path)).toEqual(['EFI/BOOT/grubx64.efi', 'EFI/BOOT/BOOTX64.EFI']);
  const place = {
    image: { ...image, overlays: [overlay] },
    volume: { offsetBytes: mib, sizeBytes: espBytes },
  };
  const text = await withVolumeFile({ ...place, access: 'read', ...context() }, async (path) => {
    const args = ['-i', path, '::/EFI/BOOT/BOOTX64.EFI', '-'];
    return (await runProcess({ program: 'mcopy', args })).stdout;
  });
  expect(text).toBe('debian/shimx64.efi'.repeat(5000));
  expect(await sha256(join(folder, 'disk.raw'))).toBe(before);
});
