const macPattern = /["']?(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}["']?/;

/**
 * What replaces a line by which the guest recognises its interface by MAC (`GuestNicFacts.macLines`). `mac`: the new
 * one; null = unknown, so the card is recognised by its driver, or by nothing where there is no way to say so.
 */
export function replaceMacLine(line: string, mac: string | null, drivers: readonly string[]): string {
  if (mac !== null) {
    return line.replace(macPattern, (old) => {
      const quote = /^["']/.exec(old)?.[0] ?? '';
      return `${quote}${mac}${quote}`;
    });
  }
  const driver = drivers[0] ?? '';
  if (/^(?:Permanent)?MACAddress\s*=/.test(line)) return `Driver=${drivers.join(' ')}`;
  if (/\bmacaddress\s*:/.test(line)) {
    return line.replace(new RegExp(`\\bmacaddress\\s*:\\s*${macPattern.source}`), `driver: ${driver}`);
  }
  return `# Taken out by Ascend: ${line}`;
}

/** False for lines that give the card a MAC rather than recognise it by one. */
export function recognisesByMac(line: string): boolean {
  return !/^(?:MACADDR|LLADDR|cloned-mac-address)\s*=/.test(line);
}
