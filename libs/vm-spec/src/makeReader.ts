import type { Finding } from '@ascend/domain';
import { AppError, toAppError } from '@ascend/errors';
import { finishSpec, type SpecDraft } from './specDraft.ts';
import { shown, specFinding } from './specFinding.ts';
import type { SpecNode } from './specNode.ts';
import type { SpecDocument, SpecReader, SpecReading } from './specReader.ts';

/** What a format's own code does; all around it is the same for every format. */
export interface FormatReader extends Pick<SpecReader, 'format' | 'platform' | 'recognise'> {
  /** @throws {AppError} SPEC_DOCUMENT_INVALID */
  parse(document: SpecDocument): SpecNode;
  /**
   * Finds the VM in the parsed document and marks what it knows. `findings`: what the draft cannot say, e.g. a device without equal.
   *
   * @throws {AppError} SPEC_DOCUMENT_INVALID - there is no (such) VM in it
   */
  draft(
    root: SpecNode,
    selector: string | null,
  ): { readonly draft: SpecDraft; readonly findings: readonly Finding[] };
}

/** There is no VM in the document, or not the one that was asked for. */
export function noSuchVm(format: string, selector: string | null, names: readonly string[]): AppError {
  const asked = selector === null ? 'describes no VM' : `describes no VM ${shown(selector)}`;
  return new AppError({
    code: 'SPEC_DOCUMENT_INVALID',
    message: `read ${format}: the document ${asked}`,
    details: { found: names.slice(0, 10).map(shown) },
  });
}

function unreadable(error: AppError): SpecReading {
  const finding = specFinding('SPEC_DOCUMENT_INVALID', 'blocked', {
    subject: 'backup',
    message: error.message,
    evidence: Object.values(error.details).map(String).join(', '),
  });
  return { spec: null, findings: [finding], unknownFields: [] };
}

/** A reader that checks every value, tells unknown fields and never throws. */
export function makeReader(reader: FormatReader): SpecReader {
  const { format, platform } = reader;
  return {
    format,
    platform,
    recognise: (document) => reader.recognise(document),
    read: (document, selector) => {
      try {
        const root = reader.parse(document);
        const found = reader.draft(root, selector);
        const { spec, findings } = finishSpec(found.draft);
        const unknownFields = root.unread().map(shown);
        const unknown =
          unknownFields.length === 0
            ? []
            : [
                specFinding('SPEC_FIELDS_UNKNOWN', 'ok', {
                  subject: 'backup',
                  message: `${format}: ${unknownFields.length} fields are not known and have no effect`,
                  evidence: unknownFields.slice(0, 10).join(', '),
                }),
              ];
        return { spec, findings: [...found.findings, ...findings, ...unknown], unknownFields };
      } catch (cause) {
        return unreadable(toAppError(cause, `read ${format} ${shown(document.name)}`));
      }
    },
  };
}
