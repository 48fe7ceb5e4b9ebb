import { readFile } from 'node:fs/promises';
import type { DiskImage } from '@ascend/disk';
import type { Finding } from '@ascend/domain';
import { imageOf } from '../../apply/volumeExport.ts';
import { sliceSource } from '../../byteSource.ts';
import type { GuestChange } from '../../verify/guestDiff.ts';
import { failedCheck, passedCheck } from '../../verify/verifyFinding.ts';
import type { VerifyParams, VerifyResult } from '../../verify/verifyEdits.ts';
import { openDisks } from '../../probe/openDisks.ts';
import { verifyEspEdits } from '../../efi/espEdits.ts';
import { readNtfsState } from '../ntfs/ntfsState.ts';
import type { NtfsVolume } from '../ntfs/ntfsVolume.ts';
import type { WindowsEdit } from '../plan/windowsEdit.ts';
import { readGuestHive } from '../probe/readHives.ts';
import { openHive, type Hive } from '../registry/hive.ts';
import type { HiveName, RegistryEdit } from '../registry/registryEdit.ts';
import { verifyRegistryEdits } from '../registry/verifyRegistryEdits.ts';
import { readAnyCase } from '../windowsFiles.ts';
import { isWindowsEdit, windowsOf } from './applyWindowsGuest.ts';
import { withNtfs } from './openNtfs.ts';

const hiveNames: readonly HiveName[] = ['SYSTEM', 'SOFTWARE', 'DRIVERS'];
const maxChangesTold = 200;

function isRegistry(edit: WindowsEdit): edit is RegistryEdit {
  return 'hive' in edit;
}

type HiveBytes = ReadonlyMap<HiveName, Buffer>;

async function readHives(files: NtfsVolume, params: VerifyParams): Promise<HiveBytes> {
  const { facts } = windowsOf(params.guest);
  const found = new Map<HiveName, Buffer>();
  for (const name of hiveNames) {
    const hive = await readGuestHive(files, `/${facts.systemRoot}/System32/config`, name);
    if (hive !== null) found.set(name, hive.bytes);
  }
  return found;
}

function hiveOf(hives: HiveBytes, name: HiveName): Hive | null {
  const bytes = hives.get(name);
  return bytes === undefined ? null : openHive(bytes);
}

/** Each hive as edited against the same without the overlay: every edit holds, and nothing else changed. */
function verifyRegistry(before: HiveBytes, after: HiveBytes, edits: readonly RegistryEdit[]): VerifyResult {
  const findings: Finding[] = [];
  const diff: GuestChange[] = [];
  for (const name of hiveNames) {
    const [old, now] = [hiveOf(before, name), hiveOf(after, name)];
    const own = edits.filter(({ hive }) => hive === name);
    if (old === null || now === null) {
      if (own.length > 0) findings.push(failedCheck(`the registry hive ${name} is gone`, ''));
      continue;
    }
    const verdict = verifyRegistryEdits({ before: old, after: now, edits: own });
    if (verdict.problems.length > 0) {
      const told = verdict.problems.slice(0, 10).join('; ');
      findings.push(failedCheck(`the registry hive ${name} is not as planned`, told));
    } else if (own.length > 0) {
      findings.push(
        passedCheck(`the registry hive ${name} is as planned`, `${own.length} edits, nothing else`),
      );
    }
    const lines = verdict.changes.slice(0, maxChangesTold).map(({ kind, key, value }) => ({
      path: `${name}\\${key}`,
      change:
        value === undefined || value === null
          ? kind
          : `${kind} ${value.name === '' ? '(default)' : value.name}`,
    }));
    diff.push(...lines);
  }
  return { findings, diff };
}

async function verifyFiles(files: NtfsVolume, edits: readonly WindowsEdit[]): Promise<VerifyResult> {
  // Written twice, the last one counts.
  const wanted = new Map<string, Buffer>();
  for (const edit of edits) {
    if (edit.kind === 'write-file') wanted.set(edit.path, Buffer.from(edit.content, 'utf8'));
    if (edit.kind === 'stage-file') wanted.set(edit.path, await readFile(edit.source));
  }
  const findings: Finding[] = [];
  const diff: GuestChange[] = [];
  for (const [path, bytes] of wanted) {
    const found = await readAnyCase(files, path, Math.max(bytes.length, 1)).catch(() => null);
    const holds = found?.equals(bytes) === true;
    findings.push(
      holds
        ? passedCheck(`${path} is as planned`, `${bytes.length} bytes`)
        : failedCheck(`${path} is not as planned`, found === null ? 'not there, or larger' : 'other content'),
    );
    diff.push({ path, change: `written, ${bytes.length} bytes` });
  }
  return { findings, diff };
}

/** The volume must not have become dirtier than it was. */
async function verifyState(params: VerifyParams): Promise<readonly Finding[]> {
  const { facts, root } = windowsOf(params.guest);
  await using opened = await openDisks(
    [{ diskIndex: root.diskIndex, image: imageOf(params.images, root.diskIndex) }],
    params,
  );
  const [disk] = opened.disks;
  if (disk === undefined) return [];
  const state = await readNtfsState(sliceSource(disk.source, root.offsetBytes, root.sizeBytes));
  const worse = (state.dirty === true && facts.volume.dirty !== true) || state.logClosed === false;
  return [
    worse
      ? failedCheck(
          'the Windows volume was not closed cleanly',
          `dirty ${state.dirty}, log closed ${state.logClosed}`,
        )
      : passedCheck('the Windows volume was closed cleanly', 'flags of $Volume and $LogFile'),
  ];
}

/**
 * Reads an edited Windows guest again: fresh read-only servers, this project's registry reader, and the state of the file
 * system by its own reader.
 *
 * @throws {AppError} GUEST_*, DISK_*, OPERATION_CANCELLED
 */
export async function verifyWindowsGuest(params: VerifyParams): Promise<VerifyResult> {
  const { images, workDir, signal } = params;
  const { root, facts } = windowsOf(params.guest);
  const { esp } = facts;
  const image = imageOf(images, root.diskIndex);
  const edits = params.edits.filter(isWindowsEdit);
  const original: DiskImage = { ...image, overlays: image.overlays.slice(0, -1) };
  const read = { access: 'read', acceptDirty: false, workDir, signal } as const;
  const before = await withNtfs({ ...read, image: original, volume: root }, (files) =>
    readHives(files, params),
  );
  const parts = await withNtfs({ ...read, image, volume: root }, async (files) => {
    const after = await readHives(files, params);
    return [verifyRegistry(before, after, edits.filter(isRegistry)), await verifyFiles(files, edits)];
  });
  if (esp !== undefined && esp !== null) {
    parts.push(await verifyEspEdits({ image, esp, edits, workDir, signal }));
  }
  return {
    findings: [...parts.flatMap(({ findings }) => findings), ...(await verifyState(params))],
    diff: parts.flatMap(({ diff }) => diff),
  };
}
