import type { WindowsFacts } from '@ascend/domain';

const machines: Readonly<Record<number, WindowsFacts['arch']>> = {
  0x8664: 'amd64',
  0x14c: 'x86',
  0xaa64: 'arm64',
};

/** The architecture a program was built for, by its PE header; null when it is none. */
export function programArchitecture(start: Buffer | null): WindowsFacts['arch'] {
  if (start === null || start.length < 64 || start.toString('latin1', 0, 2) !== 'MZ') return null;
  const at = start.readUInt32LE(0x3c);
  if (at + 6 > start.length || start.toString('latin1', at, at + 4) !== 'PE\0\0') return null;
  return machines[start.readUInt16LE(at + 4)] ?? null;
}
