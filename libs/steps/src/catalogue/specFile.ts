import type { Finding, VmSpec } from '@ascend/domain';
import { readDocument, type SpecReader } from '@ascend/vm-spec';
import { ownReader } from './ownReader.ts';
import { invalidSpec, readSpecText } from './specText.ts';

/** Ends of the names of files in our own JSON, whatever is in them. */
export const ownSuffix = '.vmspec.json';
/** Real specifications of ours are a few KiB. */
const maxOwnBytes = 1024 * 1024;
/** What others write may hold a whole site. */
export const maxForeignBytes = 8 * 1024 * 1024;

/** A specification with what its reader remarked on it. */
export interface SpecFile {
  readonly spec: VmSpec;
  /** No blocked ones. */
  readonly findings: readonly Finding[];
  /** e.g. `ovf`. */
  readonly format: string;
}

/** What `readVmSpecFile` is given. */
export interface SpecFileParams {
  readonly path: string;
  /** Formats beside our own JSON. */
  readonly readers: readonly SpecReader[];
  /** Which VM of a file that holds several, by name or id. */
  readonly selector?: string | null;
}

/**
 * Reads a VM specification: our own JSON (UTF-8, 1 MiB at most where the name is `*.vmspec.json`), or any format that a reader recognises
 * (8 MiB at most). Never waits for a pipe.
 *
 * @throws {AppError} CATALOG_SPEC_INVALID - unreadable, no regular file, too large, no valid specification of a known format, or several VMs
 *   and no selector
 */
export async function readVmSpecFile({ path, readers, selector = null }: SpecFileParams): Promise<SpecFile> {
  const isOwn = path.endsWith(ownSuffix);
  const text = await readSpecText(path, isOwn ? maxOwnBytes : maxForeignBytes);
  const document = { name: path, text };
  const known = isOwn ? { ...ownReader.read(document, null), format: ownReader.format } : null;
  const reading = known ?? readDocument([ownReader, ...readers], document, selector);
  const ambiguous = reading.findings.find(({ code }) => code === 'SPEC_VM_AMBIGUOUS');
  if (ambiguous !== undefined) {
    throw invalidSpec(path, `it describes several VMs, name one of them: ${ambiguous.evidence}`);
  }
  if (reading.spec !== null && reading.format !== null) {
    return { spec: reading.spec, findings: reading.findings, format: reading.format };
  }
  const reasons = reading.findings
    .filter(({ severity }) => severity === 'blocked')
    .map(({ message }) => message);
  throw invalidSpec(path, reasons.join('; '));
}
