import path from 'node:path';
import type { ScannedContext, ScannedRepository } from '@ascend/domain';
import type { SpecReading } from '@ascend/vm-spec';
import type { SidecarDocument, SidecarLibrary } from './sidecarDocuments.ts';
import { ownSuffix } from './specFile.ts';

type Skipped = ScannedRepository['skipped'][number];

/** What the sidecars of one VM tell. */
export interface ForeignSpec {
  /** null = there is none of use. */
  readonly reading: SpecReading | null;
  readonly relPath: string;
  readonly skipped: readonly Skipped[];
}

const nothing: ForeignSpec = { reading: null, relPath: '', skipped: [] };

function isAmbiguous(reading: SpecReading): boolean {
  return reading.findings.some(({ code }) => code === 'SPEC_VM_AMBIGUOUS');
}

function named(relPath: string): string {
  return path.basename(relPath).replace(/\.[^.]+$/, '');
}

/** Those that describe the VM most surely: named after it, else naming it, else lying beside no other VM. */
function candidatesOf(
  documents: readonly SidecarDocument[],
  vmName: string,
  isShared: (relPath: string) => boolean,
): readonly SidecarDocument[] {
  const byFile = documents.filter(({ relPath }) => named(relPath) === vmName);
  if (byFile.length > 0) return byFile;
  const byContent = documents.filter(
    ({ reader, document }) => reader.read(document, vmName).spec?.name === vmName,
  );
  if (byContent.length > 0) return byContent;
  return documents.filter(({ relPath }) => !isShared(relPath));
}

function skip(documents: readonly SidecarDocument[], code: string, reason: string): ForeignSpec {
  return { ...nothing, skipped: documents.map(({ relPath }) => ({ relPath, code, reason })) };
}

function readChosen(chosen: SidecarDocument, vmName: string): ForeignSpec {
  const { reader, document, relPath } = chosen;
  const asked = reader.read(document, vmName);
  const reading = asked.spec === null ? reader.read(document, null) : asked;
  if (isAmbiguous(reading)) {
    return skip(
      [chosen],
      'CATALOG_SPEC_AMBIGUOUS',
      `it describes several VMs, and none of the name ${vmName}`,
    );
  }
  if (reading.spec !== null) return { reading, relPath, skipped: [] };
  const reasons = reading.findings
    .filter(({ severity }) => severity === 'blocked')
    .map(({ message }) => message);
  return skip([chosen], 'CATALOG_SPEC_INVALID', `read VM specification ${relPath}: ${reasons.join('; ')}`);
}

/**
 * The specification of a VM by the files of other formats beside its disks. Of several formats the first of the readers counts; several
 * files of one format are skipped, for nothing tells which is meant.
 */
export async function readForeignSpec(
  { vmName, sidecars }: ScannedContext,
  library: SidecarLibrary,
  isShared: (relPath: string) => boolean,
): Promise<ForeignSpec> {
  const documents: SidecarDocument[] = [];
  for (const relPath of sidecars.filter((one) => !one.endsWith(ownSuffix))) {
    const document = await library.find(relPath);
    if (document !== null) documents.push(document);
  }
  const candidates = candidatesOf(documents, vmName, isShared);
  const best = Math.min(...candidates.map(({ rank }) => rank));
  const [chosen, ...others] = candidates.filter(({ rank }) => rank === best);
  if (chosen === undefined) return nothing;
  if (others.length === 0) return readChosen(chosen, vmName);
  return skip(
    [chosen, ...others],
    'CATALOG_SPEC_AMBIGUOUS',
    'another file of its format describes the VM too',
  );
}
