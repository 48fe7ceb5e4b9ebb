import { expect, test } from 'vitest';
import { osIdOfName } from './osName.ts';

test.each([
  ['Debian GNU/Linux 12 (64-bit)', 'debian-12'],
  ['Debian GNU/Linux 7(64-bit)', 'debian-7'],
  ['Ubuntu 22.04 LTS', 'ubuntu-22.04'],
  ['Canonical 0001-com-ubuntu-server-jammy 22_04-lts-gen2', 'ubuntu-22.04'],
  ['Red Hat Enterprise Linux 9.0', 'rhel-9'],
  ['RedHat RHEL 86-gen2', 'rhel-8'],
  ['RHEL 8_10', 'rhel-8'],
  ['CentOS 7', 'centos-7'],
  ['CentOS Stream 9', 'centos-stream-9'],
  ['Rocky Linux 9', 'rocky-9'],
  ['AlmaLinux 8', 'almalinux-8'],
  ['Oracle Linux 8', 'ol-8'],
  ['SUSE Linux Enterprise Server 15 (64-bit)', 'sles-15'],
  ['openSUSE Leap 15.5', 'opensuse-leap-15.5'],
  ['Amazon Linux 2', 'amzn-2'],
  ['al2023-ami-2023.4', 'amzn-2023'],
  ['Fedora Linux 40', 'fedora-40'],
  ['Windows Server 2019 (64-bit)', 'windows-server-2019'],
  ['MicrosoftWindowsServer WindowsServer 2022-datacenter-g2', 'windows-server-2022'],
  ['Windows Server 2012 R2 Datacenter', 'windows-server-2012-r2'],
  ['Windows 8.1 (64-bit)', 'windows-8.1'],
  ['Windows 11 (64-bit)', 'windows-11'],
  ['FreeBSD 13 (64-bit)', 'freebsd-13'],
  ['Linux/UNIX', null],
  ['Windows', null],
  ['Other PV (64-bit)', null],
  [null, null],
])('%s is %s', (name, expected) => {
  expect(osIdOfName(name)).toBe(expected);
});
