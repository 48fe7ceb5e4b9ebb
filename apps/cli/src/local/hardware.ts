import { chooseNeeds, type Firmware, type GuestHardware, type GuestNeedsVariant } from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** The firmware an option names; null = not given. @throws {AppError} INPUT_INVALID */
export function firmwareOption(text: string | undefined): Firmware | null {
  if (text === undefined || text === 'bios' || text === 'uefi') return text ?? null;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `read --firmware: ${JSON.stringify(text)} is none of bios, uefi`,
  });
}

/** The first firmware that is known: as ordered, as specified, as the disks are laid out; else BIOS. */
export function firmwareFor(...told: readonly (Firmware | 'unknown' | null)[]): Firmware {
  return told.find((one) => one === 'bios' || one === 'uefi') ?? 'bios';
}

function describeVariants(hardware: GuestHardware): readonly string[] {
  return hardware.needs.map(
    ({ id, diskBuses, needs }) =>
      `${id} (${(needs.firmware ?? ['bios', 'uefi']).join(' or ')}, --disk-bus ${diskBuses.join(' or ')})`,
  );
}

/**
 * The platform's hardware for a guest.
 *
 * @throws {AppError} GUEST_FIRMWARE_UNSUPPORTED - it has none of that firmware and bus; details list what it has
 */
export function chooseVariant(
  hardware: GuestHardware,
  wanted: { readonly platform: string; readonly firmware: Firmware; readonly diskBus: string | null },
): GuestNeedsVariant {
  const { platform, firmware, diskBus } = wanted;
  const variant = chooseNeeds(hardware.needs, { firmware, diskBus });
  if (variant !== null) return variant;
  const candidates = describeVariants(hardware);
  throw new AppError({
    code: 'GUEST_FIRMWARE_UNSUPPORTED',
    message: `choose hardware of ${platform}: it has none that boots ${firmware}${diskBus === null ? '' : ` from ${diskBus}`}`,
    details: { candidates },
    hint: `Choose --firmware and --disk-bus of one of: ${candidates.join('; ')}.`,
  });
}
