import { AppError } from '@ascend/errors';
import { assertDocumentSize, SpecNode, type SpecDocument } from '@ascend/vm-spec';

/** Real files have a few hundred lines. */
const maxEntries = 50_000;

/** `|22` stands for a quote, `|0A` for the end of a line: `|` and two hex digits of a byte, several for one character of UTF-8. */
function unescape(text: string): string {
  return text.replaceAll(/(?:\|[0-9a-fA-F]{2})+/g, (bytes) =>
    Buffer.from(bytes.replaceAll('|', ''), 'hex').toString('utf8'),
  );
}

/** No pattern with repetitions here: lines are hostile, and may be megabytes long. */
function readLine(line: string): { readonly key: string; readonly value: string } | null {
  const at = line.indexOf('=');
  const key = line.slice(0, Math.max(at, 0)).trim().toLowerCase();
  if (key === '' || /[\s#"]/.test(key)) return null;
  const rest = line.slice(at + 1).trim();
  if (!rest.startsWith('"')) return { key, value: unescape(rest.split('#', 1)[0]?.trim() ?? '') };
  // A comment may follow the value.
  const end = rest.indexOf('"', 1);
  return { key, value: unescape(rest.slice(1, end === -1 ? undefined : end)) };
}

/**
 * A VMX file: lines `key = "value"`, keys in any case, `#` begins a comment. Gives a node by the part of the key before its first point, in lower
 * case: `scsi0:1.fileName` is `scsi0:1` with the member `filename`; a value of the part alone is its text. The last of equal keys counts.
 *
 * @throws {AppError} SPEC_DOCUMENT_INVALID
 */
export function parseVmx(document: SpecDocument): SpecNode {
  assertDocumentSize(document);
  const groups = new Map<string, Map<string, string>>();
  let entries = 0;
  for (const line of document.text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const entry = readLine(line);
    if (entry === null) continue;
    entries += 1;
    if (entries > maxEntries) break;
    const point = entry.key.indexOf('.');
    const name = point === -1 ? entry.key : entry.key.slice(0, point);
    const member = point === -1 ? '#text' : entry.key.slice(point + 1);
    const group = groups.get(name) ?? new Map<string, string>();
    groups.set(name, group.set(member, entry.value));
  }
  if (entries === 0 || entries > maxEntries) {
    throw new AppError({
      code: 'SPEC_DOCUMENT_INVALID',
      message:
        entries === 0 ? 'read vmx: no line has a key and a value' : `read vmx: more than ${maxEntries} lines`,
      details: { document: 'vmx' },
    });
  }
  return new SpecNode(
    Object.fromEntries([...groups].map(([name, members]) => [name, Object.fromEntries(members)])),
  );
}
