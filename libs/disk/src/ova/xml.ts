const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // White space in an attribute would be normalised away.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Text that may stand in an element or an attribute. Characters that XML 1.0 cannot hold become U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll(/[&<>"'\t\n\r]/g, (found) => entities[found] ?? '');
}

/** An element as lines of text; build them with `element`. */
export type XmlLines = readonly string[];

function startOf(name: string, attributes: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(String(value))}"`);
  return `<${name}${parts.join('')}`;
}

/** An element with text, with children in the given order, or empty. Names are ours and not escaped. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string | number | readonly XmlLines[] = [],
): XmlLines {
  const start = startOf(name, attributes);
  if (typeof content !== 'object') return [`${start}>${escapeXml(String(content))}</${name}>`];
  if (content.length === 0) return [`${start}/>`];
  return [`${start}>`, ...content.flat().map((line) => `  ${line}`), `</${name}>`];
}
