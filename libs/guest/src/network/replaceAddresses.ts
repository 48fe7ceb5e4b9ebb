import { isIP } from 'node:net';

// What may stand in an address: a word of these signs is either an address as a whole or left alone.
const candidate = /[0-9A-Fa-f:.]{2,45}/g;
const inWord = /[\w.:-]/;

/**
 * Replaces IP addresses that stand as words of their own (`10.0.0.5`, `10.0.0.5/24`, `"10.0.0.5"`); comments keep
 * their bytes. Host names and longer numbers that hold an address are no such words.
 */
export function replaceAddresses(text: string, replacements: ReadonlyMap<string, string>): string {
  return text
    .split('\n')
    .map((line) =>
      /^\s*[#;]/.test(line)
        ? line
        : line.replaceAll(candidate, (word, at: number) => {
            const alone = !inWord.test(line.charAt(at - 1)) && !inWord.test(line.charAt(at + word.length));
            return alone && isIP(word) !== 0 ? (replacements.get(word) ?? word) : word;
          }),
    )
    .join('\n');
}
