import { createHash } from 'node:crypto';

/** Length of the id columns. */
const maxIdLength = 64;

/** Cuts an id that is too long for its column and ends it with a digest of the whole, so that two never become one. */
export function fitId(id: string): string {
  if (id.length <= maxIdLength) return id;
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 12);
  return `${id.slice(0, maxIdLength - digest.length - 1)}-${digest}`;
}

/** The same id in another repository: a copied folder has the same names in it. */
export function idInRepository(id: string, repositoryId: string): string {
  const digest = createHash('sha256').update(repositoryId).digest('hex').slice(0, 8);
  return fitId(`${id}-${digest}`);
}

/** Id of the chain of one disk, as the backup product forms it. */
export function chainIdOf(contextId: string, diskIndex: number): string {
  return fitId(`chain-${contextId}-disk${diskIndex}`);
}

function slug(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9_-]+/g, '-');
  return plain.replaceAll(/^-+|-+$/g, '') || 'vm';
}

/** `20251008-192431`. */
function stamp(at: Date): string {
  return at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

/** Id of a VM context that is registered here: `ctx-backup-<vm>-<time stamp>`. */
export function newContextId(vmName: string, at: Date): string {
  return fitId(`ctx-backup-${slug(vmName)}-${stamp(at)}`);
}

/** Id of a restore point that is registered here: `backup-<vm>-<time stamp>`. */
export function newBackupId(vmName: string, at: Date): string {
  return fitId(`backup-${slug(vmName)}-${stamp(at)}`);
}
