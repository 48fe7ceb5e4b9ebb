import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProcess } from '@ascend/runtime';

/** Programs of one Go module at one release. */
export interface GoPrograms {
  readonly module: string;
  readonly version: string;
  /** Packages below the module that hold a program; its name is the last part. */
  readonly packages: readonly string[];
}

/** An object store on a folder. Pinned; `go install` checks it against Go's public checksum log. Source: the module's tags, 2026-11-21. */
export const objectStore: GoPrograms = {
  module: 'github.com/versity/versitygw',
  version: 'v1.8.0',
  packages: ['cmd/versitygw'],
};

/** A simulator of a virtualisation host, and the client that imports appliances into it. Source: the module's tags, 2026-11-21. */
export const applianceImporter: GoPrograms = {
  module: 'github.com/vmware/govmomi',
  version: 'v0.38.0',
  packages: ['govc', 'vcsim'],
};

/**
 * Builds the programs if they are not in the cache yet (one to three minutes) and returns their folder.
 *
 * @throws {Error} when Go is missing or a build fails
 */
export async function buildGoPrograms({ module, version, packages }: GoPrograms): Promise<string> {
  const folder = join(import.meta.dirname, '../.cache/go', module.replaceAll('/', '-'), version);
  const isBuilt = await access(folder).then(
    () => true,
    () => false,
  );
  if (isBuilt) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.partial-`);
  try {
    await runProcess({
      program: 'go',
      args: ['install', ...packages.map((name) => `${module}/${name}@${version}`)],
      env: { GOBIN: partial, CGO_ENABLED: '0', GOFLAGS: '' },
      cwd: partial,
    });
    await rename(partial, folder);
  } catch (cause) {
    throw new Error(`peers: ${module} ${version} could not be built; is Go there, and its module proxy?`, {
      cause,
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return folder;
}
