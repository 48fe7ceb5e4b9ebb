import {
  convertFirmware,
  needsLoader,
  type Firmware,
  type GuestFacts,
  type GuestNeeds,
} from '@ascend/domain';
import { holdsFat32 } from '../firmware/espFormat.ts';
import { guestFinding, nothingPlanned, type PlannedEdits } from './planFinding.ts';

function blocked(message: string, evidence: string): PlannedEdits {
  const finding = guestFinding({
    code: 'GUEST_FIRMWARE_UNSUPPORTED',
    severity: 'blocked',
    message,
    evidence,
    action: 'choose a generation, instance family or target with the firmware the disks are laid out for',
  });
  return { edits: [], findings: [finding] };
}

/** The firmware that the new VM shall have, where that is not the one the disks are laid out for; null = nothing to convert. */
function wantedFirmware(guest: GuestFacts, needs: GuestNeeds, asked: Firmware | null): Firmware | null {
  const seen = guest.firmware === 'unknown' ? null : guest.firmware;
  const offered = needs.firmware;
  const fits = seen !== null && (offered === undefined || offered.includes(seen));
  const wanted = asked ?? (fits ? null : (offered?.[0] ?? null));
  return wanted !== null && (seen !== null || asked !== null) && needsLoader(guest, wanted) ? wanted : null;
}

/**
 * Plans a boot loader for the firmware of the new VM where the disks are laid out for another one, or tells why there is no way. `asked`: the
 * firmware that was decided on; null = as the disks are laid out, if the target has that.
 */
export function planFirmware(
  guest: GuestFacts,
  needs: GuestNeeds,
  asked: Firmware | null = null,
): PlannedEdits {
  const to = wantedFirmware(guest, needs, asked);
  if (to === null) return nothingPlanned;
  const from = guest.firmware === 'unknown' ? 'no known firmware' : guest.firmware;
  const message = `the disks are laid out for ${from}, the new VM boots by ${to}`;
  if (needs.firmware !== undefined && !needs.firmware.includes(to))
    return blocked(`${message}, which the target does not have`, needs.firmware.join(' or '));
  const { place, obstacle } = convertFirmware(guest, to);
  if (place === null) return blocked(`${message}, and it cannot be converted`, obstacle);
  const { area, newPartition, scheme, diskIndex } = place;
  const kind = to === 'uefi' ? 'EFI system partition' : 'BIOS boot partition';
  const where =
    newPartition === null
      ? `sector ${area.firstSector} of disk ${diskIndex}`
      : `new ${kind}: partition ${newPartition} of disk ${diskIndex}, ${Math.floor(area.sectors / 2)} KiB at sector ${area.firstSector}`;
  const reason = `the new VM boots by ${to}, the disks are laid out for ${from}`;
  const fixed = guestFinding({
    code: 'GUEST_FIRMWARE_CONVERTED',
    severity: 'fixed',
    message,
    evidence: `${where} (${scheme.toUpperCase()})`,
    action: `GRUB for ${to} that shows the menu of the guest is put there on the overlay; it is not signed: leave Secure Boot off`,
  });
  const isSmall = to === 'uefi' && newPartition !== null && !holdsFat32(place);
  const small = guestFinding({
    code: 'GUEST_ESP_SMALL',
    severity: 'warning',
    message:
      'the disk has no room for an EFI system partition with FAT32; a small one with FAT12 or FAT16 is made',
    evidence: where,
    action:
      'firmware made of EDK II (OVMF and its kin) reads it; rehearse the boot, or enlarge the disk in the source VM',
  });
  return {
    edits: [{ kind: 'convert-firmware', firmware: to, place, reason }],
    findings: isSmall ? [fixed, small] : [fixed],
  };
}
