import { expect, it } from 'vitest';
import { fitsFileName, linuxPackageKind, showFileName } from './agentPackages.ts';

it.each([
  [String.raw`qemu-ga-x86_64\.msi`, 'qemu-ga-x86_64.msi'],
  [String.raw`qemu-guest-agent_[\w.+~%:-]+\.deb`, 'qemu-guest-agent_*.deb'],
  [String.raw`tools-\d[\w.]*\.rpm`, 'tools-*.rpm'],
  [String.raw`(?:a|b)[\w.-]*\.exe`, '(a|b)*.exe'],
])('the pattern %s is shown as %s', (pattern, shown) => {
  expect(showFileName(pattern)).toBe(shown);
});

it('a file name fits a pattern as a whole, whatever its case and folder', () => {
  const pattern = String.raw`qemu-ga\.msi`;
  expect(fitsFileName(pattern, 'drivers/QEMU-GA.msi')).toBe(true);
  expect(fitsFileName(pattern, 'qemu-ga.msi.bak')).toBe(false);
  expect(fitsFileName(pattern, 'qemu-ga.msi/other')).toBe(false);
});

it.each([
  ['debian', 'deb'],
  ['rocky', 'rpm'],
  ['opensuse-leap', 'rpm'],
  ['alpine', null],
  [null, null],
])('the packages of %s are %s', (distribution, kind) => {
  expect(linuxPackageKind({ distribution })).toBe(kind);
});
