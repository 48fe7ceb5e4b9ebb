import { access, mkdtemp, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { natsFolder, natsVersions } from './natsVersions.ts';

async function isBuilt(version: string): Promise<boolean> {
  return access(join(natsFolder(version), 'nats-server')).then(
    () => true,
    () => false,
  );
}

async function buildNatsServer(version: string): Promise<void> {
  const folder = natsFolder(version);
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  try {
    await runProcess({
      program: 'go',
      args: ['install', `github.com/nats-io/nats-server/v2@${version}`],
      env: { GOBIN: partial, CGO_ENABLED: '0', GOFLAGS: '' },
      cwd: partial,
    });
    await rename(partial, folder);
  } catch (cause) {
    throw new Error(`peers: nats-server ${version} could not be built; is Go there, and its module proxy?`, {
      cause,
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * Builds the releases that are not in the cache yet, one after the other: a minute each. Vitest calls it before the
 * first test of the group; when it fails the whole group counts as one failure.
 *
 * @throws {Error} when Go is missing or a build fails
 */
export default async function buildNatsServers(): Promise<void> {
  for (const version of natsVersions) if (!(await isBuilt(version))) await buildNatsServer(version);
}
