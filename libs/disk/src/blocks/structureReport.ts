import { isAppError } from '@ascend/errors';
import { openImageFile } from '../formats/imageFile.ts';
import type { ByteReader } from '../formats/imageHeader.ts';

/** What a check of an image's structure found. Sizes are null where the file does not tell them soundly. */
export interface StructureReport {
  /** Empty: the file keeps the rules of its format. At most 20 sentences, each with the place and the numbers. */
  readonly problems: readonly string[];
  readonly virtualSizeBytes: number | null;
  readonly blockBytes: number | null;
  /** Blocks that have space in the file; null for formats without blocks. */
  readonly allocatedBlocks: number | null;
}

const maxProblems = 20;

/** Collects problems; a hostile file with millions of them costs no memory. */
export interface Findings {
  add(problem: string): void;
  readonly problems: readonly string[];
}

/** An empty list of findings. */
function createFindings(): Findings {
  const problems: string[] = [];
  return {
    add: (problem) => {
      if (problems.length < maxProblems) problems.push(problem);
    },
    problems,
  };
}

/**
 * Opens a file read-only for a check. A range behind the end of the file, which only a damaged image asks for, is a finding.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR
 */
export async function checkFile(
  filePath: string,
  check: (file: ByteReader, findings: Findings) => Promise<Omit<StructureReport, 'problems'>>,
): Promise<StructureReport> {
  const findings = createFindings();
  const file = await openImageFile(filePath);
  try {
    const facts = await check(file, findings);
    return { ...facts, problems: findings.problems };
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'DISK_IMAGE_TRUNCATED') throw cause;
    findings.add(cause.message);
    return { problems: findings.problems, virtualSizeBytes: null, blockBytes: null, allocatedBlocks: null };
  } finally {
    await file.close();
  }
}
