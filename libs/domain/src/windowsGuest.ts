import type { WindowsNeeds } from './capability.ts';
import type { WindowsControlSetFacts, WindowsFacts, WindowsServiceFacts } from './facts.ts';

type DriverNeed = WindowsNeeds['drivers'][number];

/** The control set that the next boot uses: Select\Default, else Current, else the first; null = there is none. */
export function bootControlSet({
  select,
  controlSets,
}: Pick<WindowsFacts, 'select' | 'controlSets'>): WindowsControlSetFacts | null {
  const number = select.default ?? select.current;
  const wanted = `CONTROLSET${String(number ?? 1).padStart(3, '0')}`;
  return controlSets.find(({ name }) => name.toUpperCase() === wanted) ?? controlSets[0] ?? null;
}

/** A service of a control set, any case; null when it has none of that name. */
export function windowsService(set: WindowsControlSetFacts, name: string): WindowsServiceFacts | null {
  const wanted = name.toUpperCase();
  return set.services.find((service) => service.name.toUpperCase() === wanted) ?? null;
}

/** Those of the services that the guest boots with: service and file are there. */
export function usableServices(facts: WindowsFacts, names: readonly string[]): readonly string[] {
  const set = bootControlSet(facts);
  if (set === null) return [];
  return names.filter((name) => {
    const service = windowsService(set, name);
    return service !== null && service.filePresent !== false;
  });
}

/** Devices of the target that this Windows neither has a driver for nor brings one. */
export function driversToBring(facts: WindowsFacts, needs: WindowsNeeds): readonly DriverNeed[] {
  return needs.drivers.filter(({ inboxSinceBuild, installedServices }) => {
    if (inboxSinceBuild !== null && (facts.build ?? 0) >= inboxSinceBuild) return false;
    return usableServices(facts, installedServices).length === 0;
  });
}
