import { AppError, toAppError } from '@ascend/errors';
import { applyTextEdit } from '../edits/applyTextEdit.ts';
import {
  isPlaceEdit,
  isTextEdit,
  type GuestEdit,
  type RebuildInitramfsEdit,
  type TextEdit,
} from '../edits/guestEdit.ts';
import { applyEspEdits } from '../efi/espEdits.ts';
import { applyConversion } from '../firmware/applyConversion.ts';
import type { CpioFile } from '../initramfs/cpio.ts';
import { appendDrivers, appendDriversTo } from './appendDrivers.ts';
import type { ApplyParams } from './applyParams.ts';
import { openGuestRoot, type GuestRoot } from './guestRoot.ts';
import { hostVolumes } from './hostVolumes.ts';
import { openApplianceRoot } from './openApplianceRoot.ts';
import { placeFiles } from './placeFiles.ts';
import { stageFiles } from './stageFiles.ts';
import { imageOf } from './volumeExport.ts';
import { keepOriginal, rebuildInitramfs } from './rebuildInitramfs.ts';
import { chosenAppliance } from '../probe/guestTree.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import { openRootFiles } from '../probe/rootFiles.ts';
import { verifyInitramfs } from '../verify/verifyInitramfs.ts';
import { applyWindowsGuest } from '../windows/guest/applyWindowsGuest.ts';

function isRebuild(edit: GuestEdit): edit is RebuildInitramfsEdit {
  return edit.kind === 'rebuild-initramfs';
}

/** Edits of one file in one go: read once, changed in memory, written once. Unchanged files are not written. */
async function editFile(root: GuestRoot, path: string, edits: readonly TextEdit[]): Promise<CpioFile[]> {
  const before = await root.readFile(path);
  const { mode: oldMode, uid, gid } = before ?? { mode: 0o644, uid: 0, gid: 0 };
  let text = before?.text ?? null;
  let mode = oldMode;
  for (const edit of edits) {
    text = applyTextEdit(text, edit);
    if (edit.kind === 'write-file') mode = edit.mode;
  }
  if (text === null) {
    throw new AppError({ code: 'GUEST_EDIT_FAILED', message: `edit ${path}: the file is not there` });
  }
  if (text === before?.text && mode === oldMode) return [];
  return [{ name: path, mode, uid, gid, data: Buffer.from(text, 'latin1') }];
}

async function editFiles(root: GuestRoot, edits: readonly TextEdit[]): Promise<void> {
  const paths = [...new Set(edits.map((edit) => edit.path))];
  const files: CpioFile[] = [];
  for (const path of paths) {
    files.push(
      ...(await editFile(
        root,
        path,
        edits.filter((edit) => edit.path === path),
      )),
    );
  }
  if (files.length > 0) await root.writeFiles(files);
}

/** Rebuilds every image by the guest's tool, the original kept beside it; returns the edits whose tool did its work. */
async function rebuildAll(root: GuestRoot, params: ApplyParams): Promise<readonly RebuildInitramfsEdit[]> {
  const rebuilt: RebuildInitramfsEdit[] = [];
  for (const edit of params.edits.filter(isRebuild)) {
    params.report(`initramfs ${edit.kernelVersion}`);
    await keepOriginal(root, edit.path);
    const { logger, signal, toolLimits } = params;
    if (await rebuildInitramfs({ root, edit, logger, signal, toolLimits })) rebuilt.push(edit);
  }
  return rebuilt;
}

/** Those rebuilt images that hold the drivers and lost nothing vital: a tool may "succeed" without doing its work. */
async function goodOnes(
  rebuilt: readonly RebuildInitramfsEdit[],
  params: ApplyParams,
): Promise<ReadonlySet<RebuildInitramfsEdit>> {
  const good = new Set<RebuildInitramfsEdit>();
  if (rebuilt.length === 0) return good;
  await using opened = await openRootFiles(params);
  for (const edit of rebuilt) {
    const { findings } = await verifyInitramfs(opened.files, edit, params);
    const problem = findings.find((finding) => finding.severity === 'blocked');
    if (problem === undefined) good.add(edit);
    else
      params.logger.warn('rebuilt initramfs is not used', {
        reason: problem.message,
        parts: problem.evidence,
      });
  }
  return good;
}

/** Opens the root, works on it and closes it cleanly; whatever goes wrong, nothing is left mounted or running. */
async function withRoot<T>(params: ApplyParams, work: (root: GuestRoot) => Promise<T>): Promise<T> {
  const { images, guest, workDir, logger, signal, executor } = params;
  const volumes = hostVolumes(guest);
  params.report('mount');
  const way = executor === 'rootless' || executor === 'kernel' ? executor : 'auto';
  const root = await openGuestRoot({ images, volumes, workDir, executor: way, logger, signal });
  return await workOn(root, params, () => work(root));
}

/** Works on an open root, and closes it cleanly or, when that fails, at once. */
async function workOn<T>(root: GuestRoot, params: ApplyParams, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    params.report('flush');
    await root.finish();
    return result;
  } catch (cause) {
    await root.abandon();
    throw cause;
  }
}

async function applyToEsp({ images, guest, edits, workDir, signal }: ApplyParams): Promise<void> {
  const { esp } = guest;
  if (esp === undefined || esp === null) return;
  await applyEspEdits({ image: imageOf(images, esp.diskIndex), esp, edits, workDir, signal });
}

async function applyFirmware({ images, edits, workDir, signal, report }: ApplyParams): Promise<void> {
  for (const edit of edits.filter((candidate) => candidate.kind === 'convert-firmware')) {
    report(`boot loader for ${edit.firmware}`);
    await applyConversion({ image: imageOf(images, edit.place.diskIndex), edit, workDir, signal });
  }
}

async function applyFiles(root: GuestRoot, params: ApplyParams): Promise<void> {
  params.report('files');
  await placeFiles(root, params.edits.filter(isPlaceEdit));
  await editFiles(root, params.edits.filter(isTextEdit));
  await stageFiles(
    root,
    params.edits.filter((edit) => edit.kind === 'stage-file'),
  );
}

/** All in one session, since each takes long to start; drivers are appended, since the guest's tool would run 20 times slower. */
async function applyByAppliance(params: ApplyParams, appliance: ApplianceChoice): Promise<void> {
  params.report('start appliance');
  const { root, files } = await openApplianceRoot(params, appliance);
  await workOn(root, params, async () => {
    await applyFiles(root, params);
    const rebuilds = params.edits.filter(isRebuild);
    for (const { path } of rebuilds) await keepOriginal(root, path);
    if (rebuilds.length > 0) await appendDriversTo({ root, files }, params, rebuilds);
  });
  await applyToEsp(params);
}

async function applyByHost(params: ApplyParams): Promise<void> {
  const rebuilt = await withRoot(params, async (root) => {
    await applyFiles(root, params);
    return await rebuildAll(root, params);
  });
  params.report('check initramfs');
  const good = await goodOnes(rebuilt, params);
  const failed = params.edits.filter(isRebuild).filter((edit) => !good.has(edit));
  if (failed.length > 0) await appendDrivers(params, failed, (work) => withRoot(params, work));
  await applyToEsp(params);
  await applyFirmware(params);
}

async function applyAll(params: ApplyParams): Promise<void> {
  const appliance = chosenAppliance(params.guest, params);
  await (appliance === null ? applyByHost(params) : applyByAppliance(params, appliance));
}

/**
 * Makes the edits on the top overlays of the disks that hold the root, what is mounted into it, and the EFI system partition. Where the
 * guest's own initramfs tool is missing, fails or leaves something out, and always in an appliance, the drivers are appended to the image as a
 * second archive. Layout and policy choose between host and appliance (`chooseExecutor`). On failure or cancellation nothing is left mounted or running, and the
 * overlay must be dropped: it may hold half of the edits.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, GUEST_TOOL_STALLED - an edit could not be made
 * @throws {AppError} GUEST_BOOT_LOADER_UNAVAILABLE - this machine has no GRUB for the other firmware
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - this machine cannot mount or sandbox the guest
 * @throws {AppError} GUEST_LAYOUT_UNSUPPORTED - the host is asked for and cannot mount a volume, or a mount point is a link
 * @throws {AppError} GUEST_KEY_REJECTED - a key does not fit
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_TOO_LARGE, GUEST_UNRECOGNISED, DISK_*, OPERATION_CANCELLED
 */
export async function applyEdits(params: ApplyParams): Promise<void> {
  if (params.edits.length === 0) return;
  try {
    await (params.guest.family === 'windows' ? applyWindowsGuest(params) : applyAll(params));
  } catch (cause) {
    throw toAppError(cause, 'edit guest');
  }
}
