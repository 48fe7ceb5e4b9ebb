/** A sign on the serial console that the guest will not come up, best explanation first. */
interface FailureSign {
  readonly pattern: RegExp;
  readonly about: string;
}

// The first one found is reported, so the line that says why comes before the lines that only say that.
const failureSigns: readonly FailureSign[] = [
  { pattern: /ALERT!\s+\S+ does not exist/, about: 'the initramfs does not find the root device' },
  {
    pattern: /dracut.*Warning: \S+ does not exist/,
    about: 'the initramfs does not find the root device',
  },
  {
    pattern: /Gave up waiting for root (?:file system )?device/,
    about: 'the initramfs does not find the root device',
  },
  { pattern: /Kernel panic - not syncing/, about: 'the kernel panicked' },
  { pattern: /Cannot open access to console, the root account is locked/, about: 'emergency mode' },
  { pattern: /You are in (?:rescue|emergency) mode/, about: 'emergency mode' },
  {
    pattern: /(?:Entering emergency mode|Generating "\/run\/initramfs\/rdsosreport\.txt")/,
    about: 'emergency mode',
  },
  { pattern: /^\(initramfs\)/m, about: 'the initramfs fell back to its shell' },
  { pattern: /^grub rescue>/m, about: 'the boot loader does not find its files' },
  // EDK II. The shell's banner is no sign yet: a startup.nsh may still boot the guest; at the prompt nothing follows.
  { pattern: /BdsDxe: No bootable option/, about: 'the firmware finds nothing to boot' },
  { pattern: /^Shell> /m, about: 'the firmware finds nothing to boot' },
];

const loginPrompt = /^[\w.-]{1,64} login: ?$/m;
const maxSummary = 300;

/** Console text without colours, cursor movements and other control characters; line ends are `\n`. */
export function plainText(raw: string): string {
  return (
    raw
      // oxlint-disable-next-line no-control-regex -- escape sequences are control characters
      .replaceAll(/\u001B(?:\[[0-9;?]*[ -/]*[@-~]|[@-Z\\-_])/g, '')
      .replaceAll(/\r+\n?/g, '\n')
      // oxlint-disable-next-line no-control-regex -- see above
      .replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F\uFFFD]/g, '')
  );
}

function lineAround(text: string, index: number): string {
  const from = text.lastIndexOf('\n', index) + 1;
  const to = text.indexOf('\n', index);
  return text
    .slice(from, to === -1 ? undefined : to)
    .trim()
    .slice(0, maxSummary);
}

/** The line that shows why the guest will not come up, with what it means; null while there is none. */
export function findFailure(text: string): string | null {
  for (const { pattern, about } of failureSigns) {
    const match = pattern.exec(text);
    if (match !== null) return `${about}: ${lineAround(text, match.index)}`;
  }
  return null;
}

/** An operator's expression is tried on lines of this length at most: a hostile guest writes the text it works on. */
const maxMatchedLine = 1024;

function findPattern(text: string, pattern: RegExp): string | null {
  const own = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''));
  const line = text.split('\n').find((one) => own.test(one.slice(0, maxMatchedLine)));
  return line === undefined ? null : line.trim().slice(0, maxSummary);
}

/**
 * The line that holds the marker (literal text or an expression for one line), or a login prompt when the marker is null;
 * null while there is none.
 */
export function findMarker(text: string, marker: string | RegExp | null): string | null {
  if (marker instanceof RegExp) return findPattern(text, marker);
  const index = marker === null ? (loginPrompt.exec(text)?.index ?? -1) : text.indexOf(marker);
  return index === -1 ? null : lineAround(text, index);
}
