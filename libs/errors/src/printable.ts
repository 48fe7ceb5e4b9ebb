// Control and format characters (C0, C1, DEL, marks that turn the direction of text, lone surrogates) and the two line separators.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  if (character === '\n') return String.raw`\n`;
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}

/**
 * A text that is safe to print on one line of a terminal or a log: what they would obey instead of show is escaped. Names of files and
 * what tools print come from strangers.
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable, escaped);
}
