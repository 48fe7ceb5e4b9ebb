import { writtenDisks, type Finding, type GuestFacts, type GuestNeeds } from '@ascend/domain';
import { toAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import { applyTextEdit } from '../edits/applyTextEdit.ts';
import { isPlaceEdit, isTextEdit, type GuestEdit, type TextEdit } from '../edits/guestEdit.ts';
import { verifyEspEdits } from '../efi/espEdits.ts';
import { verifyConversion } from '../firmware/verifyConversion.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { findInitramfs, listKernelVersions, openInitramfs } from '../linux/kernels.ts';
import { readKernelModules } from '../linux/kernelModules.ts';
import { modulesOf, moduleName } from '../initramfs/initramfs.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import { rememberFiles } from './rememberFiles.ts';
import { chosenAppliance, openGuestTree, policyOf, type ExecutorParams } from '../probe/guestTree.ts';
import { imageOf } from '../apply/volumeExport.ts';
import { textChanges, type GuestChange } from './guestDiff.ts';
import { verifyWindowsGuest } from '../windows/guest/verifyWindowsGuest.ts';
import { failedCheck, passedCheck } from './verifyFinding.ts';
import { verifyInitramfs } from './verifyInitramfs.ts';
import { verifyStaged } from './verifyStaged.ts';
import { verifyPlaces } from './verifyPlaces.ts';

/** What verification works with. */
export interface VerifyParams extends ExecutorParams {
  /** All disks of the guest; on those that were written the overlay with the edits is on top. */
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly edits: readonly GuestEdit[];
  readonly needs: GuestNeeds;
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What reading back showed. Any `blocked` finding means: do not use the overlay. */
export interface VerifyResult {
  readonly findings: readonly Finding[];
  /** What changed in the guest, in words. */
  readonly diff: readonly GuestChange[];
}

const maxTextBytes = 4 * 1024 * 1024;

async function readLatin(files: GuestFiles, path: string): Promise<string | null> {
  return (await files.read(`/${path}`, maxTextBytes))?.toString('latin1') ?? null;
}

/** A text edit holds when making it once more would change nothing. */
async function verifyText(files: GuestFiles, edit: TextEdit): Promise<Finding> {
  const text = await readLatin(files, edit.path);
  const mode = (await files.stat(`/${edit.path}`))?.mode;
  const wanted = applyTextEdit(text, edit);
  const modeHolds = edit.kind !== 'write-file' || mode === edit.mode;
  return text !== null && wanted === text && modeHolds
    ? passedCheck(`${edit.path} is as planned`, edit.kind)
    : failedCheck(
        `${edit.path} is not as planned`,
        `${edit.kind}: ${text === null ? 'not there' : 'other content'}`,
      );
}

/** The needs again, from the target's side and without the edits: every kernel has every required driver it ships. */
async function verifyNeeds(files: GuestFiles, params: VerifyParams): Promise<readonly Finding[]> {
  const required = [...params.needs.linuxStorageModules, ...params.needs.linuxNetworkModules].map(moduleName);
  const findings: Finding[] = [];
  for (const version of await listKernelVersions(files)) {
    const path = await findInitramfs(files, version);
    if (path === null) continue;
    const shipped = await readKernelModules(files, version);
    const present = new Set(modulesOf((await openInitramfs(files, path, params)).names, version));
    const missing = required.filter(
      (name) => shipped.files.has(name) && !shipped.builtin.has(name) && !present.has(name),
    );
    if (missing.length > 0)
      findings.push(failedCheck(`${path} lacks drivers of the target`, missing.join(', ')));
  }
  return findings;
}

/** The same disks without the edits, for the diff: the overlays on top of the written ones are left out. */
function withoutTops({ images, guest, executor }: VerifyParams): readonly GuestDisk[] {
  const written = writtenDisks(guest, policyOf(executor));
  return images.map((disk) =>
    written.includes(disk.diskIndex)
      ? { ...disk, image: { ...disk.image, overlays: disk.image.overlays.slice(0, -1) } }
      : disk,
  );
}

/** The files that the diff compares, as they were. */
interface Original {
  readonly files: GuestFiles;
  close(): Promise<void>;
}

/** Text and links of the edited files, taken into memory: of an appliance one is enough at a time. */
async function openOriginal(params: VerifyParams): Promise<Original> {
  const opened = await openGuestTree({ ...params, images: withoutTops(params) });
  if (chosenAppliance(params.guest, params) === null)
    return { files: opened.files, close: async () => await opened[Symbol.asyncDispose]() };
  try {
    const paths = params.edits.flatMap((edit) => (isTextEdit(edit) || isPlaceEdit(edit) ? [edit.path] : []));
    return { files: await rememberFiles(opened.files, paths, maxTextBytes), close: async () => undefined };
  } finally {
    await opened[Symbol.asyncDispose]();
  }
}

async function compareWithOriginal(
  files: GuestFiles,
  original: GuestFiles,
  { edits }: VerifyParams,
): Promise<VerifyResult> {
  const paths = [...new Set(edits.filter(isTextEdit).map((edit) => edit.path))];
  const places = await verifyPlaces({ before: original, after: files, edits });
  const changes: GuestChange[] = [];
  for (const path of paths) {
    changes.push(...textChanges(path, await readLatin(original, path), await readLatin(files, path)));
  }
  return { findings: places.findings, diff: [...places.diff, ...changes] };
}

async function verifyEsp({ images, guest, edits, workDir, signal }: VerifyParams): Promise<VerifyResult> {
  const { esp } = guest;
  if (esp === undefined || esp === null) return { findings: [], diff: [] };
  return await verifyEspEdits({ image: imageOf(images, esp.diskIndex), esp, edits, workDir, signal });
}

async function verifyFirmware({ images, edits, workDir, signal }: VerifyParams): Promise<VerifyResult> {
  const findings: Finding[] = [];
  const diff: GuestChange[] = [];
  for (const edit of edits.filter((candidate) => candidate.kind === 'convert-firmware')) {
    const { diskIndex, menu } = edit.place;
    const image = imageOf(images, diskIndex);
    const menuImage = imageOf(images, menu.diskIndex);
    const report = await verifyConversion({ image, menuImage, edit, workDir, signal });
    findings.push(...report.findings);
    diff.push(...report.diff);
  }
  return { findings, diff };
}

async function verifyAll(params: VerifyParams): Promise<VerifyResult> {
  const original = await openOriginal(params);
  try {
    return await verifyAgainst(original.files, params);
  } finally {
    await original.close();
  }
}

async function verifyAgainst(original: GuestFiles, params: VerifyParams): Promise<VerifyResult> {
  await using opened = await openGuestTree(params);
  const { files } = opened;
  const compared = await compareWithOriginal(files, original, params);
  const findings: Finding[] = [...compared.findings];
  const diff: GuestChange[] = [...compared.diff];
  for (const name of opened.dirty) {
    findings.push(
      failedCheck(`the file system of ${name} was not closed cleanly`, 'its journal holds changes'),
    );
  }
  for (const edit of params.edits) {
    if (isPlaceEdit(edit)) continue;
    if (isTextEdit(edit)) {
      findings.push(await verifyText(files, edit));
      continue;
    }
    if (edit.kind !== 'rebuild-initramfs') continue;
    const verdict = await verifyInitramfs(files, edit, params);
    findings.push(...verdict.findings);
    diff.push(...verdict.diff);
  }
  const esp = await verifyEsp(params);
  const staged = await verifyStaged(
    files,
    params.edits.filter((edit) => edit.kind === 'stage-file'),
  );
  const firmware = await verifyFirmware(params);
  const parts = [esp, staged, firmware];
  findings.push(...(await verifyNeeds(files, params)), ...parts.flatMap((part) => part.findings));
  return { findings, diff: [...diff, ...parts.flatMap((part) => part.diff)] };
}

/**
 * Reads the edited guest again, on another way than it was written: a fresh read-only block server and this project's own
 * file system reader, no mount, no guest code; where the appliance is chosen, a fresh read-only session of it. Also says what changed.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_INITRAMFS_UNREADABLE, DISK_*, OPERATION_CANCELLED
 */
export async function verifyEdits(params: VerifyParams): Promise<VerifyResult> {
  try {
    return await (params.guest.family === 'windows' ? verifyWindowsGuest(params) : verifyAll(params));
  } catch (cause) {
    throw toAppError(cause, 'verify guest');
  }
}
