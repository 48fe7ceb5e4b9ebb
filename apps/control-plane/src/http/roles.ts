/** Roles of a token, least first. */
export const roles = ['viewer', 'operator', 'admin'] as const;

/** What a token may do: see · run restores and keep the catalogue · configure. */
export type Role = (typeof roles)[number];

const apiRoot = '/api/v1';
// Everything below these configures the installation: writing needs an administrator.
const adminResources = new Set(['repositories', 'agents', 'sites', 'enrollment-tokens', 'targets', 'tokens']);
// Reads a file or variable of this machine.
const adminPaths = new Set(['/api/v1/catalog/sync']);
// Asking a target how it is changes nothing; what an agent may move is a matter of the restores that run.
const operatorExceptions = [/^\/api\/v1\/targets\/[^/]+\/check$/, /^\/api\/v1\/agents\/[^/]+\/bandwidth$/];
const openPaths = new Set([
  `${apiRoot}/health`,
  `${apiRoot}/ready`,
  `${apiRoot}/agents/enrol`,
  `${apiRoot}/openapi.json`,
]);

/** The role a call needs; null = open to everybody (health, ready, enrolment, API description). */
export function requiredRole(method: string, path: string): Role | null {
  if (openPaths.has(path)) return null;
  if (method === 'GET' || method === 'HEAD') return 'viewer';
  if (operatorExceptions.some((pattern) => pattern.test(path))) return 'operator';
  if (adminPaths.has(path)) return 'admin';
  const resource = path.startsWith(`${apiRoot}/`) ? path.slice(apiRoot.length + 1).split('/')[0] : undefined;
  return resource !== undefined && adminResources.has(resource) ? 'admin' : 'operator';
}

/** True when `held` includes all that `needed` allows. */
export function roleCovers(held: Role, needed: Role): boolean {
  return roles.indexOf(held) >= roles.indexOf(needed);
}
