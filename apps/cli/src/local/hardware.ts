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

/** The firmware of the new VM, and whether the guest must be made to boot by it. */
export interface FirmwareChoice {
  readonly firmware: Firmware;
  /** Ordered, or the only one the platform has: null = as the disks are laid out. */
  readonly wanted: Firmware | null;
}

/** As ordered; else as specified or laid out, where the platform has hardware for that, else the other one. */
export function chooseFirmware(
  hardware: GuestHardware,
  told: {
    readonly ordered: Firmware | null;
    readonly known: Firmware;
    readonly diskBus: string | null;
  },
): FirmwareChoice {
  const { ordered, known, diskBus } = told;
  if (ordered !== null) return { firmware: ordered, wanted: ordered };
  const other: Firmware = known === 'bios' ? 'uefi' : 'bios';
  const boots = (firmware: Firmware): boolean => chooseNeeds(hardware.needs, { firmware, diskBus }) !== null;
  return boots(known) || !boots(other)
    ? { firmware: known, wanted: null }
    : { firmware: other, wanted: other };
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
