import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkImports, checkManifests } from './dependencyTable.ts';
import { checkCodesRaised, errorCatalogue } from './errorCodes.ts';
import {
  checkDisableComments,
  checkDocComments,
  checkLength,
  checkNotes,
  checkProcesses,
} from './plainRules.ts';
import { plantTree, repositoryRoot } from './plantedTree.ts';
import { checkPlatformNames } from './platformNames.ts';
import { readSourceTree, type SourceFile, type Violation } from './sourceTree.ts';

type Rule = (
  files: readonly SourceFile[],
  root: string,
) => readonly Violation[] | Promise<readonly Violation[]>;

interface Case {
  readonly name: string;
  readonly rule: Rule;
  /** Files that break the rule, each with the lines that must be reported. */
  readonly planted: Readonly<Record<string, { readonly text: string; readonly lines: readonly number[] }>>;
}

const manifest = (name: string, dependencies: readonly string[]): string =>
  JSON.stringify({ name, dependencies: Object.fromEntries(dependencies.map((key) => [key, '0.1.0'])) });

const cases: readonly Case[] = [
  {
    name: 'imports follow the dependency table',
    rule: checkImports,
    planted: {
      'libs/engine/src/a.ts': {
        text: `import type { JobStep } from '@ascend/domain';\nimport { createDatabase } from '@ascend/store';\n`,
        lines: [2],
      },
      'libs/store/src/a.ts': { text: `export * from '@ascend/bus';\n`, lines: [1] },
      'libs/platform-a/src/a.ts': { text: `const b = await import('@ascend/platform-b');\n`, lines: [1] },
      'libs/planner/src/rules/a.ts': { text: `import { b } from '../../../engine/src/b.ts';\n`, lines: [1] },
      'libs/planner/src/rules/b.ts': { text: `import { b } from '../b.ts';\n`, lines: [] },
      'libs/unknown/src/a.ts': { text: `const a = 1;\n`, lines: [1] },
      'apps/control-plane/src/registry.ts': {
        text: `import { d } from '@ascend/platform-a/data';\nimport { c } from '@ascend/platform-a';\n`,
        lines: [2],
      },
      'apps/control-plane/src/testing/a.ts': { text: `import { s } from '@ascend/steps';\n`, lines: [] },
      'libs/guest/src/a.ts': {
        text: `// import { x } from '@ascend/store';\nconst text = \`\nimport { x } from '@ascend/store';\n\`;\n`,
        lines: [],
      },
    },
  },
  {
    name: 'package.json dependencies follow the dependency table',
    rule: (_files, root) => checkManifests(root),
    planted: {
      'libs/domain/package.json': { text: manifest('@ascend/domain', ['@ascend/errors', 'zod']), lines: [1] },
      'libs/bus/package.json': { text: manifest('@ascend/bus', ['@ascend/protocol']), lines: [] },
      'apps/control-plane/package.json': {
        text: manifest('@ascend/control-plane', ['@ascend/platform-a', '@ascend/disk']),
        lines: [1],
      },
    },
  },
  {
    name: 'platform names stay in their places',
    rule: checkPlatformNames,
    planted: {
      'libs/steps/src/a.ts': {
        text: [
          `// vmware is fine in a comment`,
          `if (platform === 'vmware') convert();`,
          `const hypervHost = 1;`,
          `const HyperV = 2;`,
          `log(\`speaks to \${host} of nutanix\`);`,
          `const draws = laws; // no aws here`,
          `const key = disk.vmwareDiskKey ?? row.vmware_disk_key;`,
          `const acceleration: 'kvm' | 'tcg' = 'kvm';`,
          `const target = 'kvm';`,
          `const { S3Client } = await import('@aws-sdk/client-s3'); const space = 'http://www.vmware.com/schema/ovf';`,
          `const other = '@aws-sdk/client-ec2' + 'https://vmware.com/';`,
        ].join('\n'),
        lines: [2, 3, 4, 5, 9, 11, 11, 11],
      },
      'libs/platform-kvm/src/a.ts': { text: `const id = 'kvm';\n`, lines: [] },
      'libs/domain/src/platform.ts': { text: `const ids = ['kvm', 'aws'];\n`, lines: [] },
      'libs/domain/src/plan.ts': { text: `const id = 'aws';\n`, lines: [1] },
      'apps/agent/src/registry.ts': { text: `import '@ascend/platform-kvm';\n`, lines: [] },
      'apps/agent/src/main.ts': { text: `import '@ascend/platform-kvm';\n`, lines: [1] },
      'libs/steps/src/a.test.ts': { text: `const id = 'aws';\n`, lines: [] },
    },
  },
  {
    name: 'every exported symbol has a doc comment',
    rule: checkDocComments,
    planted: {
      'libs/disk/src/a.ts': {
        text: [
          `/** Fact. */`,
          `export const fine = 1;`,
          `export const bare = 2;`,
          `// Not a doc comment.`,
          `export function plain(): void {}`,
          `/***/`,
          `export type Empty = 1;`,
          `/** Once. */`,
          `export function over(a: string): string;`,
          `export function over(a: number): number;`,
          `export { other } from './other.ts';`,
          `export default {};`,
          'const text = `',
          'export const quoted = 1;',
          '`;',
        ].join('\n'),
        lines: [3, 5, 7, 12],
      },
    },
  },
  {
    name: 'no file has more than 400 lines',
    rule: checkLength,
    planted: {
      'libs/disk/src/long.ts': { text: 'const a = 1;\n'.repeat(401), lines: [401] },
      'libs/disk/src/full.ts': { text: 'const a = 1;\n'.repeat(400), lines: [] },
    },
  },
  {
    name: 'every error code is raised somewhere',
    rule: checkCodesRaised,
    planted: {
      'libs/errors/src/codes/disk.ts': {
        text: `export const diskCodes = {\n  DISK_A_USED: {\n  },\n  DISK_B_UNUSED: {\n  },\n  DISK_C_TESTED: {\n  },\n};\n`,
        lines: [4, 6],
      },
      'libs/disk/src/a.ts': {
        text: `throw new AppError({ code: 'DISK_A_USED' }); // 'DISK_B_UNUSED'\n`,
        lines: [],
      },
      'libs/disk/src/a.test.ts': { text: `expect(code).toBe('DISK_C_TESTED');\n`, lines: [] },
    },
  },
  {
    name: 'a comment that switches a check off says why',
    rule: checkDisableComments,
    planted: {
      'libs/disk/src/a.ts': {
        text: [
          '// oxlint-disable-next-line no-console',
          '// oxlint-disable-next-line no-console -- the launcher has no logger yet',
          '/* eslint-disable */',
          '// @ts-expect-error',
          '// @ts-expect-error -- the type lacks a field that the wire has',
          '// @ts-expect-error a plan of another version',
          '/* v8 ignore next */',
          `const text = '// oxlint-disable-next-line no-console';`,
        ].join('\n'),
        lines: [1, 3, 4, 7],
      },
    },
  },
  {
    name: 'nothing is left to do',
    rule: checkNotes,
    planted: {
      'libs/disk/src/a.ts': { text: `// TODO: later\nconst TODO = 'FIXME'; /* FIXME */\n`, lines: [1, 2] },
    },
  },
  {
    name: 'only libs/runtime starts processes',
    rule: checkProcesses,
    planted: {
      'libs/disk/src/a.ts': {
        text: `import { spawn } from 'node:child_process';\nconst e = await import("execa");\n// from 'execa'\n`,
        lines: [1, 2],
      },
      'libs/runtime/src/process.ts': { text: `import { execa } from 'execa';\n`, lines: [] },
    },
  },
];

const repository = readSourceTree(repositoryRoot);

describe.each(cases)('$name', ({ rule, planted }) => {
  test('a planted violation is reported with its line, and nothing else', async () => {
    await using tree = await plantTree(
      Object.fromEntries(Object.entries(planted).map(([path, { text }]) => [path, text])),
    );
    const found = await rule(await readSourceTree(tree.root), tree.root);
    const expected = Object.entries(planted).flatMap(([path, { lines }]) =>
      lines.map((line) => `${path}:${line}`),
    );
    expect(found.map(({ path, line }) => `${path}:${line}`).sort()).toEqual(expected.sort());
  });

  test('the repository keeps it', async () => {
    const files = await repository;
    expect(files.length).toBeGreaterThan(50);
    const found = await rule(files, repositoryRoot);
    expect(found.map(({ path, line, message }) => `${path}:${line} ${message}`)).toEqual([]);
  });
});

test('the page of error codes is what the table says (else run: npm run -w test catalogue)', async () => {
  const page = await readFile(join(repositoryRoot, 'libs/errors/CATALOGUE.md'), 'utf8');
  expect(page).toBe(errorCatalogue());
});
