import type { RegistryData } from '../registry/registryValue.ts';
import { infValues, type InfFile, type InfLine } from './infFile.ts';
import { bestDecoration, decorationRank, type DriverTarget } from './infTarget.ts';

/** A value that a driver's INF adds below the key of its service. */
interface ServiceParameter {
  /** Below the service's key; empty = the key itself. */
  readonly key: string;
  readonly name: string;
  readonly value: RegistryData;
}

/** The service entry that an INF makes. */
export interface DriverService {
  readonly name: string;
  readonly type: number;
  readonly start: number;
  readonly errorControl: number;
  readonly group: string | null;
  /** File name of the driver, e.g. `viostor.sys`. */
  readonly binary: string;
  readonly parameters: readonly ServiceParameter[];
}

/** A hardware id an INF knows. `exact`: the first id of its line; the others are compatible ids, which match worse. */
export interface DriverHardwareId {
  /** Upper case. */
  readonly id: string;
  readonly exact: boolean;
  readonly installSection: string;
}

/** What an INF does for one Windows. */
export interface DriverPackage {
  /** File name, e.g. `viostor.inf`. */
  readonly infName: string;
  readonly provider: string;
  readonly className: string;
  /** In braces, as written. */
  readonly classGuid: string;
  /** `MM/DD/YYYY`, empty when the INF says none. */
  readonly date: string;
  /** Four numbers with dots, empty when the INF says none. */
  readonly version: string;
  /** How well the models section fits the Windows; larger is closer. */
  readonly rank: readonly number[];
  readonly hardwareIds: readonly DriverHardwareId[];
  readonly service: DriverService | null;
  /** Names of all files of the package besides the INF: the catalogue and what the INF copies. */
  readonly files: readonly string[];
}

/** ADDREG flags (Microsoft, "INF AddReg directive", read 2026-11). */
function addRegData(flags: number, values: readonly string[]): RegistryData {
  const first = values[0] ?? '';
  const type = flags & 0xffff_0001;
  if (type === 0x0001_0001) return { type: 'REG_DWORD', data: Number(first) >>> 0 };
  if (type === 0x0001_0000) return { type: 'REG_MULTI_SZ', data: values };
  if (type === 0x0002_0000) return { type: 'REG_EXPAND_SZ', data: first };
  if (type === 0x0000_0001) {
    return {
      type: 'REG_BINARY',
      data: values.map((byte) => byte.replace(/^0x/i, '').padStart(2, '0')).join(''),
    };
  }
  return { type: 'REG_SZ', data: first };
}

function parameterOf(inf: InfFile, line: InfLine): readonly ServiceParameter[] {
  const [root = '', key = '', name = '', flags = '', ...values] = line.values.map((value) =>
    inf.expand(value),
  );
  if (root.toUpperCase() !== 'HKR') return [];
  const number = flags.trim() === '' ? 0 : Number(flags);
  if (!Number.isInteger(number)) return [];
  // Bit 4 (FLG_ADDREG_KEYONLY) makes a key alone.
  if ((number & 0x10) !== 0) return [];
  return [{ key, name, value: addRegData(number, values) }];
}

/** Names that become part of registry paths, file names and scripts. */
const plainName = /^[\w.+-]{1,80}$/;

function readService(inf: InfFile, servicesSection: string): DriverService | null {
  for (const line of inf.sections.get(servicesSection.toUpperCase()) ?? []) {
    if (line.key.toUpperCase() !== 'ADDSERVICE') continue;
    const [name = '', flags = '', section = ''] = line.values.map((value) => inf.expand(value));
    // SPSVCINST_ASSOCSERVICE: the service that drives the device; others only assist.
    if ((Number(flags) & 2) === 0 || !plainName.test(name) || section === '') continue;
    const number = (key: string, fallback: number): number =>
      Number(infValues(inf, section, key)[0] ?? fallback);
    const binary = (infValues(inf, section, 'ServiceBinary')[0] ?? '').split(/[\\/]/).at(-1) ?? '';
    if (!plainName.test(binary)) continue;
    const addReg = infValues(inf, section, 'AddReg');
    return {
      name,
      type: number('ServiceType', 1),
      start: number('StartType', 3),
      errorControl: number('ErrorControl', 1),
      group: infValues(inf, section, 'LoadOrderGroup')[0] ?? null,
      binary,
      parameters: addReg.flatMap((part) =>
        (inf.sections.get(part.toUpperCase()) ?? []).flatMap((each) => parameterOf(inf, each)),
      ),
    };
  }
  return null;
}

/** The section to install by: the platform's own extension first (Microsoft, "INF DDInstall section", read 2026-11). */
function installSection(inf: InfFile, name: string, arch: string): string {
  const candidates = [`${name}.NT${arch}`, `${name}.NT`, name];
  return candidates.find((section) => inf.sections.has(section.toUpperCase())) ?? name;
}

function servicesSection(inf: InfFile, name: string, arch: string): string {
  const candidates = [`${name}.NT${arch}`, `${name}.NT`, name].map((section) => `${section}.Services`);
  return candidates.find((section) => inf.sections.has(section.toUpperCase())) ?? `${name}.Services`;
}

interface Models {
  readonly lines: readonly InfLine[];
  readonly rank: readonly number[];
}

function readModels(inf: InfFile, target: DriverTarget): Models | null {
  const found: Models[] = [];
  for (const line of inf.sections.get('MANUFACTURER') ?? []) {
    const [models = '', ...decorations] = line.values.map((value) => inf.expand(value));
    const named = decorations.filter((text) => text !== '');
    const best = bestDecoration(named.length === 0 ? [''] : [...named, ''], target);
    if (best === null) continue;
    const section = best === '' ? models : `${models}.${best}`;
    const lines = inf.sections.get(section.toUpperCase());
    const rank = decorationRank(best, target);
    if (lines !== undefined && lines.length > 0 && rank !== null) found.push({ lines, rank });
  }
  const first = found[0];
  return first === undefined ? null : { rank: first.rank, lines: found.flatMap((models) => models.lines) };
}

function hardwareIdsOf(inf: InfFile, models: Models, arch: string): readonly DriverHardwareId[] {
  return models.lines.flatMap((line) => {
    const [section = '', ...ids] = line.values.map((value) => inf.expand(value).trim());
    const install = installSection(inf, section, arch);
    return ids
      .filter((id) => id !== '')
      .map((id, index) => ({ id: id.toUpperCase(), exact: index === 0, installSection: install }));
  });
}

function filesOf(inf: InfFile, arch: string): readonly string[] {
  const catalogs = [`CatalogFile.NT${arch}`, 'CatalogFile.NT', 'CatalogFile'].map(
    (key) => infValues(inf, 'Version', key)[0] ?? '',
  );
  const sources = [`SourceDisksFiles.${arch}`, 'SourceDisksFiles']
    .flatMap((section) => inf.sections.get(section.toUpperCase()) ?? [])
    .map((line) => (line.key === '' ? (line.values[0] ?? '') : line.key));
  const names = [catalogs.find((name) => name !== '') ?? '', ...sources];
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => /^[\w.+-]+$/.test(name));
}

/** What an INF does on this Windows; null when it has nothing for it. Pure. */
export function driverPackageOf(inf: InfFile, infName: string, target: DriverTarget): DriverPackage | null {
  const models = readModels(inf, target);
  if (models === null) return null;
  const ids = hardwareIdsOf(inf, models, target.arch);
  const section = inf.expand(models.lines[0]?.values[0] ?? '');
  const [date = '', version = ''] = infValues(inf, 'Version', 'DriverVer');
  return {
    infName,
    provider: infValues(inf, 'Version', 'Provider')[0] ?? '',
    className: infValues(inf, 'Version', 'Class')[0] ?? '',
    classGuid: infValues(inf, 'Version', 'ClassGuid')[0] ?? '',
    date: /^\d{1,2}\/\d{1,2}\/\d{4}$/.test(date) ? date : '',
    version: /^\d+(\.\d+){0,3}$/.test(version) ? version : '',
    rank: models.rank,
    hardwareIds: ids,
    service: readService(inf, servicesSection(inf, section, target.arch)),
    files: filesOf(inf, target.arch),
  };
}
