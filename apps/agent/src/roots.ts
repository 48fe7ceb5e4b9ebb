import { isAbsolute, normalize, sep } from 'node:path';
import { AppError } from '@ascend/errors';

/** Which folders backups may be read from. */
export interface Roots {
  /** What the control plane says; only counts where the configuration names nothing. */
  learn(repositories: Readonly<Record<string, string>>): void;
  current(): Readonly<Record<string, string>>;
  /** The path in normal form. @throws {AppError} AGENT_REPOSITORY_UNKNOWN - not one of the roots or below one */
  check(rootPath: string): string;
}

/** The configured repositories decide; without any, those the control plane names. */
export function createRoots(configured: Readonly<Record<string, string>>): Roots {
  let known = configured;
  return {
    learn: (repositories) => {
      if (Object.keys(configured).length === 0) known = repositories;
    },
    current: () => known,
    check: (rootPath) => {
      const path = normalize(rootPath).replace(/(.)\/+$/, '$1');
      const allowed = Object.values(known).some((root) => {
        const normal = normalize(root).replace(/\/+$/, '');
        return path === normal || path.startsWith(`${normal}${sep}`);
      });
      if (allowed && isAbsolute(path)) return path;
      throw new AppError({
        code: 'AGENT_REPOSITORY_UNKNOWN',
        message: `open ${rootPath}: not one of the ${Object.keys(known).length} repositories of this agent`,
        details: { repositories: Object.keys(known) },
      });
    },
  };
}
