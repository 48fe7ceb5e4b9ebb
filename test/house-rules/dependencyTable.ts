import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lineAt } from './sourceText.ts';
import type { SourceFile, Violation } from './sourceTree.ts';

const ground = ['domain', 'errors'] as const;
const low = [...ground, 'runtime'] as const;

/**
 * Which packages of ours a package may use; `platform-*` stands for every platform, `platform-*\/data` for its pure data only.
 * Platforms are not in their own row: they never use each other. Store and bus are joined by apps alone.
 */
const dependencyTable: Readonly<Record<string, readonly string[]>> = {
  'libs/domain': [],
  'libs/errors': ['domain'],
  'libs/runtime': ground,
  'libs/protocol': low,
  'libs/vm-spec': ground,
  'libs/planner': ground,
  'libs/engine': ground,
  'libs/store': [...low, 'protocol'],
  'libs/bus': [...low, 'protocol'],
  'libs/disk': low,
  'libs/guest': [...low, 'disk'],
  'libs/connector': [...low, 'disk'],
  'libs/platform-*': [...low, 'vm-spec', 'disk', 'guest', 'connector'],
  'libs/steps': [...low, 'protocol', 'vm-spec', 'disk', 'guest', 'connector'],
  'apps/control-plane': [
    ...low,
    'protocol',
    'vm-spec',
    'planner',
    'engine',
    'store',
    'bus',
    'platform-*/data',
  ],
  'apps/agent': [...low, 'protocol', 'vm-spec', 'bus', 'disk', 'guest', 'connector', 'steps', 'platform-*'],
  'apps/cli': [
    ...low,
    'protocol',
    'vm-spec',
    'planner',
    'engine',
    'disk',
    'guest',
    'connector',
    'steps',
    'platform-*',
  ],
  'apps/web': ['domain', 'protocol'],
};

/** Apps join several packages in their tests: a scripted agent for the control plane, a real one for the CLI. */
const testTable: Readonly<Record<string, readonly string[]>> = {
  'apps/control-plane': ['connector', 'steps', 'disk', 'guest'],
};

function rowOf(table: Readonly<Record<string, readonly string[]>>, folder: string): readonly string[] | null {
  return table[folder] ?? (folder.startsWith('libs/platform-') ? (table['libs/platform-*'] ?? null) : null);
}

/** True when a package may use `specifier` (`@ascend/name[/path]`). */
function isAllowed(allowed: readonly string[], specifier: string): boolean {
  const [, name = '', ...path] = specifier.split('/');
  if (allowed.includes(name)) return true;
  if (!name.startsWith('platform-')) return false;
  return allowed.includes('platform-*') || (allowed.includes('platform-*/data') && path.join('/') === 'data');
}

function importsOf(file: SourceFile): readonly { readonly specifier: string; readonly offset: number }[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(?:'([^'\n]+)'|"([^"\n]+)")/g;
  return [...file.bare.matchAll(pattern)].map((match) => ({
    specifier: match[1] ?? match[2] ?? '',
    offset: match.index,
  }));
}

function leavesPackage(path: string, specifier: string): boolean {
  if (!specifier.startsWith('.')) return false;
  const [, , ...inside] = path.split('/');
  const ups = specifier.split('/').filter((part) => part === '..').length;
  return ups > inside.length - 1;
}

/** Imports that point a way the table does not allow, or out of their package by a relative path. */
export function checkImports(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap((file) => {
    const folder = file.path.split('/').slice(0, 2).join('/');
    if (file.path.startsWith('test/')) return [];
    const row = rowOf(dependencyTable, folder);
    if (row === null) {
      return [{ path: file.path, line: 1, message: `folder ${folder} is not in the dependency table` }];
    }
    const own = `@ascend/${folder.split('/')[1]}`;
    const allowed = file.isTest ? [...row, ...(rowOf(testTable, folder) ?? [])] : row;
    return importsOf(file)
      .filter(({ specifier }) => {
        if (leavesPackage(file.path, specifier)) return true;
        const ours =
          specifier.startsWith('@ascend/') && specifier !== own && !specifier.startsWith(`${own}/`);
        return ours && !isAllowed(allowed, specifier);
      })
      .map(({ specifier, offset }) => ({
        path: file.path,
        line: lineAt(file.text, offset),
        message: `${folder} must not import ${specifier}`,
      }));
  });
}

async function packageFolders(root: string): Promise<readonly string[]> {
  const present = await readdir(root);
  const parents = ['apps', 'libs'].filter((parent) => present.includes(parent));
  const lists = await Promise.all(
    parents.map(async (parent) => (await readdir(join(root, parent))).map((name) => `${parent}/${name}`)),
  );
  return lists.flat().sort();
}

function names(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

/** Dependencies in package.json files that point a way the table does not allow. */
export async function checkManifests(root: string): Promise<readonly Violation[]> {
  const found: Violation[] = [];
  for (const folder of await packageFolders(root)) {
    const path = `${folder}/package.json`;
    const manifest: Record<string, unknown> = JSON.parse(await readFile(join(root, path), 'utf8'));
    const row = rowOf(dependencyTable, folder) ?? [];
    const inTests = [...row, ...(rowOf(testTable, folder) ?? [])];
    for (const [key, allowed] of [
      ['dependencies', row],
      ['devDependencies', inTests],
    ] as const) {
      for (const name of names(manifest[key])) {
        // A manifest names whole packages; that only `/data` of a platform is used is seen in the imports.
        const data = name.startsWith('@ascend/platform-') ? `${name}/data` : name;
        if (name.startsWith('@ascend/') && !isAllowed(allowed, data)) {
          found.push({ path, line: 1, message: `${folder} must not depend on ${name} (${key})` });
        }
      }
    }
  }
  return found;
}
