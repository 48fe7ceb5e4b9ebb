import { parseXml, SpecNode, type SpecDocument, type SpecValue } from '@ascend/vm-spec';

const numbers = new Set(['By', 'SB', 'I16', 'I32', 'I64', 'U16', 'U32', 'U64', 'Sg', 'Db', 'D']);
const lists = ['LST', 'IE', 'QUE', 'STK'];

/** `_x000A_` stands for a UTF-16 code unit (MS-PSRP 2.2.5.3.2). */
function unescape(text: string): string {
  return text.replaceAll(/_x([0-9a-fA-F]{4})_/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function membersOf(container: SpecNode): [string, SpecValue][] {
  return container.names().flatMap((tag) =>
    container
      .child(tag)
      .items()
      .flatMap((item): [string, SpecValue][] => {
        const name = item.child('@N').text();
        return name === null ? [] : [[unescape(name), valueOf(tag, item)]];
      }),
  );
}

function dictionaryOf(container: SpecNode): [string, SpecValue][] {
  return container
    .child('En')
    .items()
    .flatMap((entry): [string, SpecValue][] => {
      const { Key, Value } = Object.fromEntries(membersOf(entry));
      return typeof Key === 'string' ? [[Key, Value ?? null]] : [];
    });
}

function objectOf(node: SpecNode): SpecValue {
  for (const name of lists) {
    const list = node.child(name);
    if (!list.exists) continue;
    return list.names().flatMap((tag) =>
      list
        .child(tag)
        .items()
        .map((item) => valueOf(tag, item)),
    );
  }
  const members = [
    ...membersOf(node.child('Props')),
    ...membersOf(node.child('MS')),
    ...dictionaryOf(node.child('DCT')),
  ];
  // Enumerations, and objects deeper than the export went, have but their text.
  return members.length === 0 ? unescape(node.child('ToString').text() ?? '') : Object.fromEntries(members);
}

function valueOf(tag: string, node: SpecNode): SpecValue {
  if (tag === 'Obj') return objectOf(node);
  // A reference points to an object above it: following it would never end.
  if (tag === 'Nil' || tag === 'Ref') return null;
  if (numbers.has(tag)) return node.number();
  if (tag === 'B') return node.boolean();
  return unescape(node.text() ?? '');
}

/**
 * What `Export-Clixml` wrote, as `ConvertTo-Json` would give it: objects of properties, enumerations by name (MS-PSRP 2.2.5, general knowledge).
 *
 * @throws {AppError} SPEC_DOCUMENT_INVALID
 */
export function parseClixml(document: SpecDocument): SpecNode {
  const objects = parseXml(document).child('Objs', 'Obj').items().map(objectOf);
  // The pipeline's list of VMs may be one object.
  return new SpecNode(objects.flat());
}
