import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { plantTree, repositoryRoot, type PlantedTree } from './plantedTree.ts';

interface ToolCase {
  readonly name: string;
  /** Script in node_modules, with its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  /** Files that pass. */
  readonly clean: Readonly<Record<string, string>>;
  /** Files that replace or join them and must be reported. */
  readonly planted: Readonly<Record<string, string>>;
  /** What the report must say. */
  readonly says: RegExp;
}

const fromRepository = (path: string): Promise<string> => readFile(join(repositoryRoot, path), 'utf8');

const tsconfig = await fromRepository('tsconfig.json');
const oxlintrc = await fromRepository('.oxlintrc.json');
const turboJson = await fromRepository('turbo.json');
const rootManifest: { readonly packageManager: string } = JSON.parse(await fromRepository('package.json'));

const moduleManifest = JSON.stringify({ name: 'planted', private: true, type: 'module' });

const workspace = JSON.stringify({
  name: 'planted',
  private: true,
  type: 'module',
  packageManager: rootManifest.packageManager,
  workspaces: ['libs/*'],
});

function member(name: string, dependencies: Readonly<Record<string, string>> = {}): string {
  const exports = { '.': './src/index.ts' };
  return JSON.stringify({ name: `@ascend/${name}`, version: '0.1.0', type: 'module', exports, dependencies });
}

const domain = {
  'libs/domain/package.json': member('domain'),
  'libs/domain/turbo.json': JSON.stringify({ extends: ['//'], tags: ['domain'] }),
  'libs/domain/src/index.ts': '/** One. */\nexport const one = 1;\n',
};
const store = {
  'libs/store/package.json': member('store', { '@ascend/domain': '0.1.0' }),
  'libs/store/turbo.json': JSON.stringify({ extends: ['//'], tags: ['store'] }),
  'libs/store/src/index.ts': `/** Two. */\nexport { one as two } from '@ascend/domain';\n`,
};

const cases: readonly ToolCase[] = [
  {
    name: 'oxlint reports a promise nobody waits for',
    script: 'oxlint/bin/oxlint',
    args: ['--type-aware', '--deny-warnings'],
    clean: {
      'tsconfig.json': tsconfig,
      '.oxlintrc.json': oxlintrc,
      'libs/a/src/index.ts':
        'async function wait(): Promise<void> {\n  await Promise.resolve();\n}\n\nawait wait();\n',
    },
    planted: {
      'libs/a/src/index.ts':
        'async function wait(): Promise<void> {\n  await Promise.resolve();\n}\n\nwait();\n',
    },
    says: /no-floating-promises/,
  },
  {
    name: 'oxlint reports an import cycle',
    script: 'oxlint/bin/oxlint',
    args: ['--type-aware', '--deny-warnings'],
    clean: {
      'tsconfig.json': tsconfig,
      '.oxlintrc.json': oxlintrc,
      'libs/a/src/a.ts': `import { b } from './b.ts';\n\nexport const a = (): number => b + 1;\n`,
      'libs/a/src/b.ts': 'export const b = 1;\n',
    },
    planted: { 'libs/a/src/b.ts': `import { a } from './a.ts';\n\nexport const b = a();\n` },
    says: /no-cycle/,
  },
  {
    name: 'tsc reports a wrong type',
    script: 'typescript/bin/tsc',
    args: ['--noEmit'],
    clean: {
      'package.json': moduleManifest,
      'tsconfig.json': tsconfig,
      'libs/a/src/index.ts': 'export const sizeBytes: number = 1;\n',
    },
    planted: { 'libs/a/src/index.ts': `export const sizeBytes: number = '1';\n` },
    says: /TS2322/,
  },
  {
    name: 'tsc reports syntax that Node cannot strip',
    script: 'typescript/bin/tsc',
    args: ['--noEmit'],
    clean: {
      'package.json': moduleManifest,
      'tsconfig.json': tsconfig,
      'libs/a/src/index.ts': `export const color = { red: 'red' } as const;\n`,
    },
    planted: { 'libs/a/src/index.ts': `export enum Color {\n  red = 'red',\n}\n` },
    says: /TS1294/,
  },
  {
    name: 'knip reports an export nobody uses',
    script: 'knip/bin/knip.js',
    args: ['--no-progress'],
    clean: {
      'package.json': JSON.stringify({ name: 'planted', type: 'module', main: './index.ts' }),
      'tsconfig.json': tsconfig,
      'index.ts': `import { used } from './a.ts';\n\nexport default used;\n`,
      'a.ts': 'export const used = 1;\n',
    },
    planted: { 'a.ts': 'export const used = 1;\nexport const unused = 2;\n' },
    says: /Unused exports[^]*unused/,
  },
  {
    name: 'turbo reports a dependency that points the wrong way',
    script: 'turbo/bin/turbo',
    args: ['boundaries', '--no-color'],
    clean: { 'package.json': workspace, 'turbo.json': turboJson, ...domain, ...store },
    planted: {
      'libs/domain/package.json': member('domain', { '@ascend/store': '0.1.0' }),
      'libs/store/package.json': member('store'),
      'libs/store/src/index.ts': '/** Two. */\nexport const two = 2;\n',
      'libs/domain/src/index.ts': `/** One. */\nexport { two as one } from '@ascend/store';\n`,
    },
    says: /@ascend\/store` found without any tag listed in allowlist for[^]*@ascend\/domain/,
  },
];

async function runTool(tree: PlantedTree, tool: ToolCase): Promise<{ exitCode: number; output: string }> {
  const result = await runProcess({
    program: process.execPath,
    args: [join(repositoryRoot, 'node_modules', tool.script), ...tool.args],
    cwd: tree.root,
    env: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', NO_COLOR: '1' },
    okExitCodes: [0, 1, 2],
    timeoutMs: 50_000,
    dieWithParent: true,
  });
  return { exitCode: result.exitCode, output: result.stdout + result.stderr };
}

async function plant(files: Readonly<Record<string, string>>): Promise<PlantedTree> {
  const tree = await plantTree(files);
  await symlink(join(repositoryRoot, 'node_modules'), join(tree.root, 'node_modules'));
  return tree;
}

describe.each(cases)('$name', (tool) => {
  test('and passes the same tree without it', async () => {
    await using tree = await plant(tool.clean);
    const { exitCode, output } = await runTool(tree, tool);
    expect(`${exitCode}\n${output}`).toMatch(/^0\n/);
  });

  test('when it is planted', async () => {
    await using tree = await plant({ ...tool.clean, ...tool.planted });
    const { exitCode, output } = await runTool(tree, tool);
    expect(output).toMatch(tool.says);
    expect(exitCode).not.toBe(0);
  });
});
