import type { Firmware } from '@ascend/domain';
import type { SpecNode } from '@ascend/vm-spec';

/** What VirtualBox tells in a section of its own, because OVF has no words for it. */
export interface OvfMachine {
  /** null = the section is not there. */
  readonly firmware: Firmware | null;
  readonly tpm: boolean;
  readonly clock: 'utc' | 'local-time' | null;
  /** MAC addresses of the enabled adapters by slot: the order of the interfaces. */
  readonly macs: readonly (string | null)[];
  readonly notes: string | null;
}

/** Reads `vbox:Machine` (general knowledge of its exports, 2026-11-21); everything else in it repeats the hardware of OVF. */
export function readMachine(machine: SpecNode): OvfMachine {
  const hardware = machine.child('Hardware');
  const firmware = hardware.child('Firmware', '@type').text() ?? 'BIOS';
  const tpm = hardware.child('TrustedPlatformModule', '@type').text() ?? 'None';
  const rtc = hardware.child('RTC', '@localOrUTC').text()?.toLowerCase() ?? null;
  const adapters = hardware
    .child('Network', 'Adapter')
    .items()
    .filter((adapter) => adapter.child('@enabled').boolean() === true)
    .map((adapter) => ({
      slot: adapter.child('@slot').number() ?? 0,
      mac: adapter.child('@MACAddress').text(),
    }))
    .toSorted((a, b) => a.slot - b.slot);
  const notes = machine.child('Description').text();
  const { exists } = machine;
  machine.ignore();
  return {
    firmware: exists ? (/^efi/i.test(firmware) ? 'uefi' : 'bios') : null,
    tpm: exists && tpm.toLowerCase() !== 'none',
    clock: rtc === 'utc' ? 'utc' : rtc === 'local' ? 'local-time' : null,
    macs: adapters.map(({ mac }) => mac),
    notes,
  };
}
