import type { GuestNeedsVariant } from './capability.ts';
import type { Firmware } from './vm.ts';

function allowsFirmware(variant: GuestNeedsVariant, firmware: Firmware): boolean {
  return variant.needs.firmware === undefined || variant.needs.firmware.includes(firmware);
}

/**
 * The first variant that boots `firmware` and, when a bus is asked for, has that bus. The order of the list is the
 * platform's order of preference. null: the platform has no such hardware, so the restore must not start.
 */
export function chooseNeeds(
  variants: readonly GuestNeedsVariant[],
  wanted: { readonly firmware: Firmware; readonly diskBus?: string | null },
): GuestNeedsVariant | null {
  const bus = wanted.diskBus ?? null;
  return (
    variants.find(
      (variant) =>
        allowsFirmware(variant, wanted.firmware) && (bus === null || variant.diskBuses.includes(bus)),
    ) ?? null
  );
}
