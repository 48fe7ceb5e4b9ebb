import { AppError } from '@ascend/errors';
import type { Blockdev } from '../blockdev.ts';
import { checkManifest, listMembers, type ArchiveMember } from '../ova/readArchive.ts';
import { openServedSource } from '../source/nbdSource.ts';
import type { VerifyReport } from '../verify/verifyDisk.ts';
import type { ExportProgress } from './copyToStaged.ts';
import type { ExportPlan } from './planExport.ts';
import { proveCopy } from './verifyStaged.ts';

/** A disk that was packed. */
interface PackedDisk {
  readonly plan: ExportPlan;
  readonly name: string;
  readonly sha256: string | null;
}

/** Which archive to check, and against what. */
export interface VerifyApplianceParams {
  readonly filePath: string;
  readonly disks: readonly PackedDisk[];
  readonly signal: AbortSignal;
  readonly onProgress: (disk: ExportPlan, progress: ExportProgress) => void;
}

/** A disk file inside another file, where it lies. */
function memberBlockdev(filePath: string, { offsetBytes, sizeBytes }: ArchiveMember): Blockdev {
  const file = { driver: 'file', filename: filePath, 'read-only': true };
  return {
    driver: 'vmdk',
    'read-only': true,
    file: { driver: 'raw', offset: offsetBytes, size: sizeBytes, 'read-only': true, file },
  };
}

async function verifyMember(
  member: ArchiveMember,
  disk: PackedDisk,
  params: VerifyApplianceParams,
): Promise<VerifyReport> {
  const { plan, sha256 } = disk;
  const { filePath, signal } = params;
  const { verify: mode } = plan.params;
  if (mode === 'none') return { mode, comparedBytes: 0, dataBlocks: 0, sha256: null, sample: null };
  const target = await openServedSource({
    blockdev: memberBlockdev(filePath, member),
    sizeBytes: plan.survey.sizeBytes,
    workDir: plan.params.workDir,
    signal,
    assertUnchanged: () => Promise.resolve(),
  });
  try {
    const onProgress = (progress: ExportProgress): void => params.onProgress(plan, progress);
    return await proveCopy(plan, { target, sha256, signal, onProgress });
  } finally {
    await target.close();
  }
}

/**
 * Decodes every disk of an archive where it lies, by QEMU, and compares it with its source as its plan asks. The manifest is compared with the
 * descriptor, and with `read-back` with every byte.
 *
 * @throws {AppError} DISK_VERIFY_MISMATCH, DISK_HEADER_INVALID, DISK_SOURCE_CHANGED and what `verifyDisk` throws
 */
export async function verifyAppliance(
  params: VerifyApplianceParams,
): Promise<readonly (PackedDisk & { readonly verify: VerifyReport })[]> {
  const { filePath, disks, signal } = params;
  const isWhole = disks.some(({ plan }) => plan.params.verify === 'read-back');
  const members = await listMembers(filePath);
  await checkManifest(filePath, members, {
    isChecked: ({ name }) => isWhole || name.endsWith('.ovf'),
    signal,
  });
  const reports: (PackedDisk & { readonly verify: VerifyReport })[] = [];
  for (const disk of disks) {
    const member = members.find(({ name }) => name === disk.name);
    if (member === undefined) {
      const message = `verify archive ${filePath}: it has no member ${disk.name}`;
      throw new AppError({ code: 'DISK_VERIFY_MISMATCH', message });
    }
    reports.push({ ...disk, verify: await verifyMember(member, disk, params) });
  }
  return reports;
}
