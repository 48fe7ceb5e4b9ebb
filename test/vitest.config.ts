import { defineConfig } from 'vitest/config';
import { natsFolder, natsVersions } from './peers/natsVersions.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Release of nats-server that a peer group runs on. */
    readonly natsVersion: string;
  }
}

/** They start a machine of their own, which takes minutes without KVM. */
const applianceTests = [
  'libs/guest/src/appliance/{openAppliance,probeAppliance}.test.ts',
  'libs/guest/src/apply/applyByAppliance.test.ts',
];

/** The bus's own tests on another release of nats-server, which stands first in the search path. */
function busOn(version: string) {
  return {
    extends: true as const,
    test: {
      name: `peers-nats-${version}`,
      include: [
        'test/peers/natsServer.test.ts',
        'libs/bus/src/{connection,durability,isolation,lane}.test.ts',
      ],
      globalSetup: [new URL('peers/buildNatsServers.ts', import.meta.url).pathname],
      env: { PATH: `${natsFolder(version)}:${process.env['PATH'] ?? ''}` },
      provide: { natsVersion: version },
      hookTimeout: 900_000,
    },
  };
}

/** One root run: pure and contract tests in parallel, whole-system tests one file at a time (2 cores). */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    passWithNoTests: false,
    // Against hanging for ever: no test measures time by it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'core',
          include: [
            'libs/**/*.test.ts',
            'apps/**/*.test.ts',
            'test/house-rules/**/*.test.ts',
            'test/boot-matrix/cells.test.ts',
          ],
          exclude: applianceTests,
          // Most of them wait for processes; the default leaves a machine of 2 cores with one worker.
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/e2e/**/*.test.ts', 'test/chaos/**/*.test.ts'],
          // Each starts a system of its own, and a guest without KVM keeps one core busy.
          maxWorkers: 2,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'appliance',
          include: applianceTests,
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'disks',
          include: ['test/disks/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'boot-matrix',
          include: ['test/boot-matrix/bootMatrix.test.ts'],
          maxConcurrency: 2,
          testTimeout: 1_800_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          maxWorkers: 2,
          testTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          exclude: ['test/peers/natsServer.test.ts'],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 900_000,
        },
      },
      ...natsVersions.map(busOn),
      {
        extends: true,
        test: {
          name: 'nightly',
          include: ['test/nightly/**/*.test.ts', 'test/boot-matrix/everyCell.test.ts'],
          fileParallelism: false,
          testTimeout: 7_200_000,
          hookTimeout: 900_000,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['libs/*/src/**/*.ts', 'apps/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/testing/**'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        'libs/planner/src/**': { branches: 100 },
        'libs/engine/src/**': { branches: 100 },
      },
    },
  },
});
