import { specFinding, shown } from './specFinding.ts';
import type { SpecDocument, SpecReader, SpecReading } from './specReader.ts';

/** A reading with what it was recognised by. */
export interface RecognisedReading extends SpecReading {
  /** null = no reader knows the document. */
  readonly format: string | null;
  readonly platform: SpecReader['platform'];
  /** What showed the format. */
  readonly evidence: string;
}

/** Reads a document by the first reader that recognises it. Pure; never throws. */
export function readDocument(
  readers: readonly SpecReader[],
  document: SpecDocument,
  selector: string | null = null,
): RecognisedReading {
  for (const reader of readers) {
    const evidence = reader.recognise(document);
    if (evidence === null) continue;
    const { format, platform } = reader;
    return { ...reader.read(document, selector), format, platform, evidence };
  }
  const finding = specFinding('SPEC_DOCUMENT_UNKNOWN', 'blocked', {
    subject: 'backup',
    message: `${shown(document.name)}: its format is not known`,
    evidence: document.text.slice(0, 80),
  });
  return { spec: null, findings: [finding], unknownFields: [], format: null, platform: null, evidence: '' };
}
