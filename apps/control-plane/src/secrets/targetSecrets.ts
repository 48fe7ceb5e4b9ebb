import { Secret } from '@ascend/runtime';
import { z } from 'zod';
import { openAtRest, sealAtRest } from './atRest.ts';

const storedSchema = z.record(z.string(), z.string());

/** Secrets of targets as the database holds them. */
export interface TargetSecrets {
  /** null when there is nothing to seal. */
  seal(targetId: string, secrets: Readonly<Record<string, string>>): string | null;
  /** @throws {AppError} API_SECRET_UNREADABLE - sealed with another key file */
  open(target: {
    readonly targetId: string;
    readonly sealedCredentials: string | null;
  }): Readonly<Record<string, Secret>>;
}

/** Sealing with the installation's key file. */
export function createTargetSecrets(key: Buffer): TargetSecrets {
  return {
    seal: (targetId, secrets) =>
      Object.keys(secrets).length === 0 ? null : sealAtRest(key, targetId, JSON.stringify(secrets)),
    open: ({ targetId, sealedCredentials }) => {
      if (sealedCredentials === null) return {};
      const plain = storedSchema.parse(JSON.parse(openAtRest(key, targetId, sealedCredentials)));
      return Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, new Secret(value)]));
    },
  };
}
