import type { GuestFiles } from '../guestFiles.ts';

const machines: Readonly<Record<number, string>> = {
  3: 'i386',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
};
const candidates = ['/usr/bin/dpkg', '/bin/bash', '/bin/sh', '/sbin/init', '/usr/bin/env', '/bin/busybox'];

/** The processor the guest's programs are made for, from the ELF header of one of them; null when none is readable. */
export async function readArchitecture(files: GuestFiles): Promise<string | null> {
  for (const path of candidates) {
    for await (const piece of files.stream(path)) {
      if (piece.length >= 20 && piece.toString('latin1', 0, 4) === '\x7fELF') {
        const little = piece.readUInt8(5) === 1;
        return machines[little ? piece.readUInt16LE(18) : piece.readUInt16BE(18)] ?? null;
      }
      break;
    }
  }
  return null;
}
