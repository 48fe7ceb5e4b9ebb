import { expect, test } from 'vitest';
import { findFailure, findMarker, plainText } from './serialText.ts';

const initramfsLog = plainText(
  [
    'Begin: Waiting for root file system ... Begin: Running /scripts/local-block ... done.',
    'done.',
    'Gave up waiting for root file system device.  Common problems:',
    ' - Boot args (cat /proc/cmdline)',
    'ALERT!  UUID=5f0c7a1e-3b52-4d0e-9a55-0a5c3e6d0001 does not exist.  Dropping to a shell!',
    '',
    '(initramfs) ',
  ].join('\r\n'),
);

test.each([
  [
    'an initramfs without driver',
    initramfsLog,
    /does not find the root device: ALERT! {2}UUID=5f0c7a1e\S+ does not exist/,
  ],
  [
    'a panic',
    '[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs',
    /the kernel panicked: \[ {4}1\.2\] Kernel panic/,
  ],
  ['an initramfs shell', 'x\n(initramfs) ', /fell back to its shell/],
  ['emergency mode', 'You are in emergency mode. After logging in, type', /emergency mode/],
  ['a boot loader without files', '\ngrub rescue> ', /boot loader/],
  ['a firmware shell', 'any other key to continue.\n\nShell> ', /the firmware finds nothing to boot: Shell>/],
  ['a firmware without choice', 'BdsDxe: No bootable option or device was found.', /finds nothing to boot/],
])('%s is recognised and its line reported', (_, text, expected) => {
  expect(findFailure(text)).toMatch(expected);
});

test.each([
  'Gave up waiting for suspend/resume device',
  'systemd[1]: Reached target emergency.target - not really',
  'type (initramfs) to continue',
  'debian login: ',
  'UEFI Interactive Shell v2.2\nPress ESC in 1 seconds to skip startup.nsh or any other key to continue.',
])('%j is no failure', (text) => {
  expect(findFailure(text)).toBeNull();
});

test('a marker is reported with its whole line', () => {
  const text = 'a\nASCEND-READY root=inc1 data=inc1\nb';
  expect(findMarker(text, 'ASCEND-READY')).toBe('ASCEND-READY root=inc1 data=inc1');
  expect(findMarker(text, 'ASCEND-READY root=inc2')).toBeNull();
});

test('without a marker a login prompt counts, and only a prompt', () => {
  expect(findMarker('Debian GNU/Linux 12 pgtest1 ttyS0\n\npgtest1 login: ', null)).toBe('pgtest1 login:');
  expect(findMarker('Last login: Mon Oct  6', null)).toBeNull();
  expect(findMarker('the login: prompt will come', null)).toBeNull();
});

test('colours, cursor movements and control characters do not hide a line', () => {
  expect(plainText('\u001B[2J\u001B[1;1H\u001B[0;32mpg\u0007test1\u001B[0m login: \r\n')).toBe(
    'pgtest1 login: \n',
  );
  expect(findFailure(plainText('\u001B[31mKernel panic - not\u001B[0m syncing: x'))).toMatch(/panicked/);
});

test('a hostile line is cut', () => {
  expect(findMarker(`READY ${'x'.repeat(100_000)}`, 'READY')).toHaveLength(300);
});

test('an expression is tried on each line, and on its first 1024 characters only', () => {
  const text = 'booting\nASCEND-READY root=inc1 addr=10.0.5.78/24 \nlogin:';
  expect(findMarker(text, /^ASCEND-READY .*addr=10\.0\.5\./)).toBe(
    'ASCEND-READY root=inc1 addr=10.0.5.78/24',
  );
  expect(findMarker(text, /^addr=/)).toBeNull();
  expect(findMarker(text, /booting\nASCEND/)).toBeNull();
  // A sticky or global expression would remember where it was.
  const global = /login/g;
  expect([findMarker(text, global), findMarker(text, global)]).toEqual(['login:', 'login:']);
  expect(findMarker(`${'x'.repeat(2000)}READY`, /READY/)).toBeNull();
});
