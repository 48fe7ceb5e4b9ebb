// Names under which platforms' settings carry credentials. Values under them never reach a plain column.
const secretName = /(^|_)(password|passwd|secret|secret_key|token|api_key|private_key|credential)s?$/i;

/** A connection without credentials, and the credentials apart. */
export interface SplitConnection {
  readonly connection: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** True for a setting name that means a credential. */
function isSecretName(name: string): boolean {
  return secretName.test(name.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

/** Moves text under secret-looking names of the connection (top level) to the secrets; explicit secrets win. */
export function splitSecrets(
  connection: Readonly<Record<string, unknown>>,
  secrets: Readonly<Record<string, string>>,
): SplitConnection {
  const plain: Record<string, unknown> = {};
  const apart: Record<string, string> = {};
  for (const [name, value] of Object.entries(connection)) {
    if (typeof value === 'string' && isSecretName(name)) apart[name] = value;
    else plain[name] = value;
  }
  return { connection: plain, secrets: { ...apart, ...secrets } };
}

/** Path of the first secret-looking text below the top level, where it would not be moved; null when there is none. */
export function findNestedSecret(value: unknown, path: readonly string[] = []): string | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, item] of Object.entries(value)) {
    const here = [...path, name];
    if (typeof item === 'string' && path.length > 0 && isSecretName(name)) return here.join('.');
    const found = findNestedSecret(item, here);
    if (found !== null) return found;
  }
  return null;
}
