import { dirname, join } from 'node:path';
import { driverPackageOf, type DriverHardwareId, type DriverPackage } from './driverPackage.ts';
import type { DriverFolder, FolderInf } from './driverFolder.ts';
import type { DriverTarget } from './infTarget.ts';

/** A driver package that fits a device on this Windows. */
export interface ChosenDriver {
  readonly package: DriverPackage;
  /** Its ids that match the device. */
  readonly matches: readonly DriverHardwareId[];
  /** Files on this machine, by their name in the package; the INF is among them. */
  readonly files: ReadonlyMap<string, string>;
  /** Why this one, for the operator. */
  readonly reason: string;
}

/** The outcome of a choice: a driver, or why none was found. */
export type DriverChoice =
  | { readonly driver: ChosenDriver; readonly problem: null }
  | { readonly driver: null; readonly problem: string };

/** Names of Windows versions as virtio-win uses them for folders, oldest first within a kernel generation. */
const osFolders: Readonly<Record<string, { readonly generation: string; readonly order: number }>> = {
  xp: { generation: '5', order: 1 },
  '2k3': { generation: '5', order: 2 },
  '2k8': { generation: '6.0', order: 1 },
  w7: { generation: '6.1', order: 1 },
  '2k8r2': { generation: '6.1', order: 1 },
  w8: { generation: '6.2', order: 1 },
  '2k12': { generation: '6.2', order: 1 },
  'w8.1': { generation: '6.3', order: 1 },
  '2k12r2': { generation: '6.3', order: 1 },
  w10: { generation: '10.0', order: 1 },
  '2k16': { generation: '10.0', order: 1 },
  '2k19': { generation: '10.0', order: 2 },
  '2k22': { generation: '10.0', order: 3 },
  w11: { generation: '10.0', order: 4 },
  '2k25': { generation: '10.0', order: 5 },
};

/** First builds of the server versions with the kernel 10.0 (Microsoft, "Windows Server release information", read 2026-11). */
function serverFolder(build: number): string {
  if (build >= 26_100) return '2k25';
  if (build >= 20_348) return '2k22';
  return build >= 17_763 ? '2k19' : '2k16';
}

/** The folder name virtio-win uses for a Windows; null for versions it never had. */
function osFolderOf(target: DriverTarget): string | null {
  const names: Readonly<Record<string, readonly [string, string]>> = {
    '6.0': ['2k8', '2k8'],
    '6.1': ['2k8r2', 'w7'],
    '6.2': ['2k12', 'w8'],
    '6.3': ['2k12r2', 'w8.1'],
  };
  const known = names[`${target.major}.${target.minor}`];
  if (known !== undefined) return target.server ? known[0] : known[1];
  if (target.major !== 10) return null;
  if (target.server) return serverFolder(target.build);
  return target.build >= 22_000 ? 'w11' : 'w10';
}

/** 3: made for this Windows. 2: the folder names none. 0–1: for an older one of the same kernel. null: for another. */
function folderFit(relPath: string, target: DriverTarget): number | null {
  const parts = dirname(relPath).toLowerCase().split('/');
  const named = parts.filter((part) => osFolders[part] !== undefined);
  const own = osFolderOf(target);
  if (named.length === 0) return 2;
  if (own !== null && named.includes(own)) return 3;
  const mine = own === null ? undefined : osFolders[own];
  const fits = named.flatMap((name) => {
    const other = osFolders[name];
    const usable = other !== undefined && other.generation === mine?.generation && other.order <= mine.order;
    return usable ? [other.order / 10] : [];
  });
  return fits.length === 0 ? null : Math.max(...fits);
}

interface Candidate {
  readonly inf: FolderInf;
  readonly package: DriverPackage;
  readonly matches: readonly DriverHardwareId[];
  readonly fit: number;
}

function versionParts(version: string): readonly number[] {
  return version.split('.').map(Number);
}

function compareNumbers(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Best first: the folder's Windows, the INF's Windows, the newest driver. */
function compareCandidates(left: Candidate, right: Candidate): number {
  return (
    right.fit - left.fit ||
    compareNumbers(right.package.rank, left.package.rank) ||
    compareNumbers(versionParts(right.package.version), versionParts(left.package.version))
  );
}

function missingFiles(candidate: Candidate): readonly string[] {
  const { siblings } = candidate.inf;
  const needed = [...candidate.package.files, candidate.package.service?.binary.toLowerCase() ?? ''];
  return needed.filter((name) => name !== '' && !siblings.has(name));
}

function candidatesFor(
  folder: DriverFolder,
  ids: readonly string[],
  target: DriverTarget,
): readonly Candidate[] {
  const wanted = ids.map((id) => id.toUpperCase());
  return folder.infs.flatMap((inf) => {
    const fit = folderFit(inf.relPath, target);
    const found = fit === null ? null : driverPackageOf(inf.inf, inf.relPath.split('/').at(-1) ?? '', target);
    // The name goes into paths of the guest and into the script of its first boot.
    if (found === null || fit === null || !/^[\w.+-]{1,80}$/.test(found.infName)) return [];
    const matches = found.hardwareIds.filter((own) =>
      wanted.some((id) => own.id === id || own.id.startsWith(`${id}&`)),
    );
    return matches.length === 0 ? [] : [{ inf, package: found, matches, fit }];
  });
}

function filesOf(candidate: Candidate): ReadonlyMap<string, string> {
  const folder = dirname(candidate.inf.path);
  const names = [candidate.package.infName.toLowerCase(), ...candidate.package.files];
  return new Map(
    names.flatMap((name) => {
      const spelled = candidate.inf.siblings.get(name);
      return spelled === undefined ? [] : [[spelled, join(folder, spelled)] as const];
    }),
  );
}

/** Chooses the package for a device (any of its hardware ids) on a Windows: the closest version, then the newest driver. Pure. */
export function chooseDriver(
  folder: DriverFolder,
  ids: readonly string[],
  target: DriverTarget,
): DriverChoice {
  const candidates = [...candidatesFor(folder, ids, target)].sort(compareCandidates);
  const whole = candidates.find((candidate) => missingFiles(candidate).length === 0);
  const windows = `Windows ${target.major}.${target.minor}.${target.build} ${target.arch}`;
  const first = candidates[0];
  if (whole !== undefined) {
    const { inf, package: found, matches } = whole;
    const reason = `${inf.relPath} ${found.version} is the closest of ${candidates.length} packages for ${windows}`;
    return { driver: { package: found, matches, files: filesOf(whole), reason }, problem: null };
  }
  const problem =
    first === undefined
      ? `none of ${folder.infs.length} driver packages is for ${windows}`
      : `${first.inf.relPath} lacks ${missingFiles(first).join(', ')}`;
  return { driver: null, problem };
}
