import type { VmSpec } from '@ascend/domain';
import { readVmSpecFile } from '@ascend/steps';
import { loadSpecReaders } from '../registry.ts';

/** What the commands with `--spec` share. */
export interface SpecOption {
  readonly file: string;
  /** Which VM of a file that describes several. */
  readonly vm: string | undefined;
  /** Is told what the reader remarks. */
  readonly note: (text: string) => void;
}

/** Reads the file of `--spec`, in any known format. @throws {AppError} CATALOG_SPEC_INVALID */
export async function readSpecOption({ file, vm, note }: SpecOption): Promise<VmSpec> {
  const { spec, findings, format } = await readVmSpecFile({
    path: file,
    readers: await loadSpecReaders(),
    selector: vm ?? null,
  });
  for (const { message, evidence } of findings) {
    note(`${file} (${format}): ${evidence === '' ? message : `${message}: ${evidence}`}`);
  }
  return spec;
}
