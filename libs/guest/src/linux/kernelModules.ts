import { moduleName } from '../initramfs/initramfs.ts';
import { readText, type GuestFiles } from '../guestFiles.ts';

/** The modules one kernel ships. */
export interface KernelModules {
  /** Module name → path relative to `lib/modules/<version>`, for modules that are files. */
  readonly files: ReadonlyMap<string, string>;
  /** Names that are part of the kernel image. */
  readonly builtin: ReadonlySet<string>;
  /** Module name → names it needs first, from modules.dep (nearest last). */
  readonly dependencies: ReadonlyMap<string, readonly string[]>;
}

const maxIndexBytes = 16 * 1024 * 1024;
const modulePath = /^[\w@.+/-]+\/([\w-]+)\.ko(?:\.(?:gz|xz|zst|bz2))?$/;

// Facts name only what a restore may need: storage, bus, network and file system modules. A full list would be
// some 4000 names per kernel in every message.
const namedInFacts =
  /^kernel\/(?:drivers\/(?:ata|block|hv|ide|md|message|nvme|pci|scsi|virtio|xen|net(?!\/(?:wireless|usb|phy|can|hamradio|wan|ieee802154|arcnet|fddi|plip|ppp|slip)))|fs|net\/ethernet)\//;

/** True for a module that may decide whether a guest boots and is reached: storage, bus, network, file system. */
export function isBootModule(path: string): boolean {
  return namedInFacts.test(path);
}

function nameOf(path: string): string | null {
  const match = modulePath.exec(path);
  return match?.[1] === undefined ? null : moduleName(match[1]);
}

/** Reads the text of modules.dep: `path: dependency dependency …`. Lines of another form are skipped. */
export function parseModulesDep(text: string): Pick<KernelModules, 'files' | 'dependencies'> {
  const files = new Map<string, string>();
  const dependencies = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    const path = line.slice(0, colon);
    const name = colon === -1 ? null : nameOf(path);
    if (name === null) continue;
    files.set(name, path);
    const needs = line
      .slice(colon + 1)
      .split(/\s+/)
      .map(nameOf)
      .filter((need) => need !== null);
    dependencies.set(name, needs);
  }
  return { files, dependencies };
}

/** Names in the text of modules.builtin. */
export function parseModulesBuiltin(text: string): ReadonlySet<string> {
  return new Set(
    text
      .split('\n')
      .map((line) => nameOf(line.trim()))
      .filter((name) => name !== null),
  );
}

/** Reads what kernel `version` ships. Empty when its module folder is not there. */
export async function readKernelModules(files: GuestFiles, version: string): Promise<KernelModules> {
  const folder = `/lib/modules/${version}`;
  const dep = (await readText(files, `${folder}/modules.dep`, maxIndexBytes)) ?? '';
  const builtin = (await readText(files, `${folder}/modules.builtin`, maxIndexBytes)) ?? '';
  return { ...parseModulesDep(dep), builtin: parseModulesBuiltin(builtin) };
}

/** The names that facts carry: files and built-ins of the classes a restore may need, sorted. */
export function factModules(modules: KernelModules): { available: string[]; builtin: string[] } {
  const files = [...modules.files].filter(([, path]) => isBootModule(path)).map(([name]) => name);
  const builtin = [...modules.builtin].toSorted();
  return { available: [...new Set([...files, ...builtin])].toSorted(), builtin };
}

/** `names` and everything they need, dependencies first; names that are no files are left out. */
export function closureOf(modules: KernelModules, names: readonly string[]): readonly string[] {
  const ordered = new Set<string>();
  const open = new Set<string>();
  const visit = (name: string): void => {
    if (ordered.has(name) || open.has(name) || !modules.files.has(name)) return;
    open.add(name);
    for (const need of modules.dependencies.get(name) ?? []) visit(need);
    ordered.add(name);
  };
  for (const name of names) visit(moduleName(name));
  return [...ordered];
}
