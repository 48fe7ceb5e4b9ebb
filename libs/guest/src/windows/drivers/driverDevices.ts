import type { DriverFolder } from './driverFolder.ts';

/** Vendor and device of a PCI hardware id: what follows them narrows to a board or revision. */
const devicePattern = /PCI\\VEN_[0-9A-F]{4}&DEV_[0-9A-F]{4}/gi;
const maxDevices = 1000;

/** PCI devices that some package of the folder names, sorted, whatever Windows the package is for. */
export function devicesOf({ infs }: DriverFolder): readonly string[] {
  const devices = new Set<string>();
  for (const { inf } of infs) {
    for (const lines of inf.sections.values()) {
      for (const { values } of lines) {
        for (const value of values) {
          for (const [device] of inf.expand(value).matchAll(devicePattern)) devices.add(device.toUpperCase());
        }
      }
    }
  }
  return [...devices].toSorted().slice(0, maxDevices);
}
