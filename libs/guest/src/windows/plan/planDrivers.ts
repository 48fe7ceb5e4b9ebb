import {
  usableServices,
  windowsService,
  type Finding,
  type WindowsFacts,
  type WindowsNeeds,
} from '@ascend/domain';
import { chooseDriver, type ChosenDriver } from '../drivers/chooseDriver.ts';
import type { DriverService } from '../drivers/driverPackage.ts';
import { parseNtVersion, type DriverTarget } from '../drivers/infTarget.ts';
import type { RegistryEdit } from '../registry/registryEdit.ts';
import type { RegistryData } from '../registry/registryValue.ts';
import { criticalDeviceEdits, driverDatabaseEdits } from './driverDatabase.ts';
import { finding, type PlannedWindows, type WindowsPlanParams } from './planParams.ts';
import { startEdits } from './planServices.ts';
import type { WindowsEdit } from './windowsEdit.ts';

type DriverNeed = WindowsNeeds['drivers'][number];

/** Planned drivers, and what first boot has to install. */
export interface PlannedDrivers extends PlannedWindows {
  readonly staged: {
    /** Paths of staged INF files, relative to the folder of the system, with `\`. */
    readonly infPaths: readonly string[];
    /** Names of files put into `System32\drivers`. */
    readonly driverFiles: readonly string[];
  };
}

/** The Windows to choose drivers for; null when it is not known well enough. */
function driverTarget(facts: WindowsFacts): DriverTarget | null {
  const version = parseNtVersion(facts.ntVersion);
  if (version === null || facts.build === null || facts.arch === null) return null;
  const named = facts.installationType ?? facts.productName ?? '';
  return { ...version, arch: facts.arch, build: facts.build, server: /server/i.test(named) };
}

function serviceEdits(
  params: WindowsPlanParams,
  driver: ChosenDriver,
  service: DriverService,
): readonly RegistryEdit[] {
  const reason = `${service.name} must start at boot: ${driver.reason}`;
  return params.facts.controlSets.flatMap((set) => {
    const key = `${set.name}\\Services\\${service.name}`;
    const value = (name: string, data: RegistryData, below = ''): RegistryEdit => ({
      kind: 'set-registry-value',
      hive: 'SYSTEM',
      key: below === '' ? key : `${key}\\${below}`,
      name,
      value: data,
      reason,
    });
    const override: RegistryEdit = {
      kind: 'delete-registry-key',
      hive: 'SYSTEM',
      key: `${key}\\StartOverride`,
      reason,
    };
    return [
      value('Type', { type: 'REG_DWORD', data: service.type }),
      value('Start', { type: 'REG_DWORD', data: 0 }),
      value('ErrorControl', { type: 'REG_DWORD', data: service.errorControl }),
      value('ImagePath', { type: 'REG_EXPAND_SZ', data: `System32\\drivers\\${service.binary}` }),
      ...(service.group === null ? [] : [value('Group', { type: 'REG_SZ', data: service.group })]),
      ...service.parameters.map((part) => value(part.name, part.value, part.key)),
      ...(windowsService(set, service.name)?.startOverride === true ? [override] : []),
    ];
  });
}

function databaseEdits(
  params: WindowsPlanParams,
  driver: ChosenDriver,
  target: DriverTarget,
): readonly RegistryEdit[] {
  const hives = params.facts.hives.filter((hive) => hive.driverDatabase);
  if (hives.length > 0) return hives.flatMap((hive) => driverDatabaseEdits(driver, hive.name, target.arch));
  return criticalDeviceEdits(
    driver,
    params.facts.controlSets.map((set) => set.name),
  );
}

function stageEdits(params: WindowsPlanParams, driver: ChosenDriver, folder: string): readonly WindowsEdit[] {
  const root = params.facts.systemRoot;
  return [...driver.files].map(([name, source]) => ({
    kind: 'stage-file',
    source,
    path: `${root}/${folder.replaceAll('\\', '/')}/${name}`,
    reason: `first boot installs ${driver.package.infName}: ${driver.reason}`,
  }));
}

function bootFileEdits(
  params: WindowsPlanParams,
  driver: ChosenDriver,
  service: DriverService,
): readonly WindowsEdit[] {
  const source = [...driver.files].find(([name]) => name.toLowerCase() === service.binary.toLowerCase())?.[1];
  if (source === undefined) return [];
  const path = `${params.facts.systemRoot}/System32/drivers/${service.binary}`;
  return [
    { kind: 'stage-file', source, path, reason: `${service.name} is loaded before drivers can be installed` },
  ];
}

function missing(need: DriverNeed, problem: string): Finding {
  return finding('GUEST_DRIVER_PACKAGE_MISSING', need.bootCritical ? 'blocked' : 'warning', {
    message: `no driver for ${need.about}: ${problem}`,
    evidence: need.hardwareIds.join(', '),
    action:
      'configure a driver folder or virtio-win image with drivers for this Windows (--windows-drivers, ASCEND_AGENT_WINDOWS_DRIVERS)',
  });
}

interface OneDriver extends PlannedWindows {
  readonly infPath: string | null;
  readonly driverFile: string | null;
}

const nothing = { edits: [], findings: [], infPath: null, driverFile: null };

function installEdits(
  params: WindowsPlanParams,
  driver: ChosenDriver,
  target: DriverTarget,
): readonly WindowsEdit[] {
  const { service } = driver.package;
  if (service === null) return [];
  return [
    ...bootFileEdits(params, driver, service),
    ...serviceEdits(params, driver, service),
    ...databaseEdits(params, driver, target),
  ];
}

function planPackage(
  params: WindowsPlanParams,
  need: DriverNeed,
  found: { readonly driver: ChosenDriver; readonly target: DriverTarget },
): OneDriver {
  const { driver, target } = found;
  const { service, infName } = driver.package;
  if (need.bootCritical && service === null) {
    return { ...nothing, findings: [missing(need, `${infName} names no driver service`)] };
  }
  const folder = `Drivers\\Ascend\\${infName.toLowerCase().replace(/\.inf$/, '')}`;
  const boot = need.bootCritical ? installEdits(params, driver, target) : [];
  const done = finding('GUEST_DRIVER_MISSING', 'fixed', {
    message: `Windows has no driver for ${need.about}`,
    evidence: driver.reason,
    action: need.bootCritical
      ? 'the driver is put in place to start at boot, and installed at first boot'
      : 'the driver is installed at first boot',
  });
  return {
    edits: [...boot, ...stageEdits(params, driver, folder)],
    findings: [done],
    infPath: `${folder}\\${infName}`,
    driverFile: need.bootCritical ? (service?.binary ?? null) : null,
  };
}

function planOne(params: WindowsPlanParams, need: DriverNeed, target: DriverTarget): OneDriver {
  if (need.inboxSinceBuild !== null && target.build >= need.inboxSinceBuild) return nothing;
  const installed = usableServices(params.facts, need.installedServices);
  if (installed.length > 0) {
    const reason = `the guest has ${installed.join(', ')} for ${need.about}`;
    const edits = need.bootCritical
      ? installed.flatMap((name) => startEdits(params, name, { start: 0, reason }))
      : [];
    return { ...nothing, edits };
  }
  if (params.drivers === null) {
    return { ...nothing, findings: [missing(need, 'no driver folder is configured')] };
  }
  const { driver, problem } = chooseDriver(params.drivers, need.hardwareIds, target);
  if (driver === null) return { ...nothing, findings: [missing(need, problem)] };
  return planPackage(params, need, { driver, target });
}

function devicePathEdits(params: WindowsPlanParams, infPaths: readonly string[]): readonly RegistryEdit[] {
  if (infPaths.length === 0 || !params.facts.hives.some((hive) => hive.name === 'SOFTWARE')) return [];
  const old = params.facts.devicePath ?? String.raw`%SystemRoot%\inf`;
  const have = new Set(old.toUpperCase().split(';'));
  const folders = infPaths.map((path) => `%SystemRoot%\\${path.slice(0, path.lastIndexOf('\\'))}`);
  const added = folders.filter((path) => !have.has(path.toUpperCase()));
  if (added.length === 0) return [];
  return [
    {
      kind: 'set-registry-value',
      hive: 'SOFTWARE',
      key: String.raw`Microsoft\Windows\CurrentVersion`,
      name: 'DevicePath',
      value: { type: 'REG_EXPAND_SZ', data: [old, ...added].join(';') },
      reason: 'Windows looks for drivers of new devices there',
    },
  ];
}

/** Plans drivers that Windows does not have: in place for what it boots from, staged for first boot otherwise. */
export function planDrivers(params: WindowsPlanParams): PlannedDrivers {
  const target = driverTarget(params.facts);
  if (target === null) return { edits: [], findings: [], staged: { infPaths: [], driverFiles: [] } };
  const parts = params.needs.drivers.map((need) => planOne(params, need, target));
  const infPaths = [...new Set(parts.flatMap((part) => (part.infPath === null ? [] : [part.infPath])))];
  return {
    edits: [...parts.flatMap((part) => part.edits), ...devicePathEdits(params, infPaths)],
    findings: parts.flatMap((part) => part.findings),
    staged: { infPaths, driverFiles: [...new Set(parts.flatMap((part) => part.driverFile ?? []))] },
  };
}
