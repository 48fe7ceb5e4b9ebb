// Lines that carry a kernel command line: GRUB 2 (linux, linux16, linuxefi), boot loader entries (options), syslinux
// (append), GRUB 0.97 (kernel; the same word of syslinux names the file alone and has no root).
const kernelLine = /^\s*(?:(?:linux(?:16|efi)?\s+\S+|options|append)(?:\s|$)|kernel\s+\S+\s.*\broot=)/i;

/** The kernel command lines in a boot loader configuration. */
export function kernelLines(text: string): readonly string[] {
  return text.split('\n').filter((line) => kernelLine.test(line));
}

function words(line: string): readonly string[] {
  return line.trim().split(/\s+/);
}

/** Names of consoles (`ttyS0`, speed dropped) on one kernel command line. */
export function consolesOf(line: string): readonly string[] {
  return words(line).flatMap((word) => {
    const match = /^console=([^,]+)/.exec(word);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

/** Consoles that all kernel command lines of all texts have. */
export function sharedConsoles(texts: readonly string[]): readonly string[] {
  const [first, ...rest] = texts.flatMap(kernelLines).map(consolesOf);
  return [...new Set(first ?? [])].filter((name) => rest.every((names) => names.includes(name)));
}

function lacks(line: string, argument: string): boolean {
  const isConsole = /^console=([^,]+)/.exec(argument)?.[1];
  return isConsole === undefined ? !words(line).includes(argument) : !consolesOf(line).includes(isConsole);
}

function isKernelLine(line: string, bare: boolean): boolean {
  return bare ? line.trim() !== '' && !line.trimStart().startsWith('#') : kernelLine.test(line);
}

/**
 * Adds the arguments to the end of each kernel command line that lacks them; a second run changes nothing.
 * `bare`: every line of the text is a command line.
 */
export function addKernelArguments(text: string, args: readonly string[], bare = false): string {
  return text
    .split('\n')
    .map((line) => {
      const missing = isKernelLine(line, bare) ? args.filter((argument) => lacks(line, argument)) : [];
      return missing.length === 0 ? line : `${line.trimEnd()} ${missing.join(' ')}`;
    })
    .join('\n');
}

/** Takes the arguments (`quiet`, or `crashkernel` for any value of it) off each kernel command line. */
export function removeKernelArguments(text: string, args: readonly string[], bare = false): string {
  return text
    .split('\n')
    .map((line) => {
      if (!isKernelLine(line, bare)) return line;
      return args.reduce((rest, argument) => {
        const word = argument.replaceAll(/[^\w-]/g, '\\$&');
        return rest.replaceAll(new RegExp(`(\\s)${word}(?:=\\S*)?(?=\\s|$)`, 'g'), '').trimEnd();
      }, line);
    })
    .join('\n');
}

/** Those arguments that every kernel command line has. Empty when there is no command line. */
export function sharedArguments(texts: readonly string[]): readonly string[] {
  const [first, ...rest] = texts.flatMap(kernelLines).map(words);
  return [...new Set(first ?? [])].filter((word) => rest.every((line) => line.includes(word)));
}
