export { makeReader, noSuchVm, type FormatReader } from './makeReader.ts';
export { parseJson, parseXml } from './parseDocument.ts';
export { readDocument, type RecognisedReading } from './readDocument.ts';
export { finishSpec, normalMac, type DraftDisk, type DraftNic, type SpecDraft } from './specDraft.ts';
export { specFinding } from './specFinding.ts';
export { SpecNode } from './specNode.ts';
export type { SpecDocument, SpecReader, SpecReading } from './specReader.ts';
