import { isPlatformId, type PlatformId } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { readEnvironment, readSecretReference, type Secret } from '@ascend/runtime';

/** A target as a file describes it, for work without a control plane. */
export interface TargetFile {
  readonly targetId: string;
  readonly name: string;
  readonly platform: PlatformId;
  readonly connection: Readonly<Record<string, unknown>>;
  /** Secret name → `env:NAME` or `file:/path`; the file itself never holds a secret. */
  readonly secrets: Readonly<Record<string, string>>;
}

function refuse(file: string, what: string): AppError {
  return new AppError({
    code: 'INPUT_INVALID',
    message: `read target file ${file}: ${what}`,
    details: { file },
    hint: 'The file is JSON: {"platform": "…", "name": "…", "connection": {…}, "secrets": {"name": "env:VARIABLE"}}.',
  });
}

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  return Object.fromEntries(Object.entries(value));
}

function references(file: string, value: unknown): Readonly<Record<string, string>> {
  const pairs = Object.entries(record(value) ?? { '': null }).map(([name, reference]) => {
    if (typeof reference !== 'string') {
      throw refuse(file, 'secrets is not an object of references (env:NAME or file:/path)');
    }
    return [name, reference] as const;
  });
  return Object.fromEntries(pairs);
}

/** Checks the content of a target file. @throws {AppError} INPUT_INVALID */
export function parseTargetFile(file: string, content: unknown): TargetFile {
  const root = record(content);
  if (root === null) throw refuse(file, 'it is not a JSON object');
  const unknownKey = Object.keys(root).find(
    (key) => !['platform', 'name', 'connection', 'secrets'].includes(key),
  );
  if (unknownKey !== undefined) throw refuse(file, `unknown field ${JSON.stringify(unknownKey)}`);
  const platform = root['platform'];
  if (typeof platform !== 'string' || !isPlatformId(platform))
    throw refuse(file, 'platform is missing or unknown');
  const connection = record(root['connection'] ?? {});
  if (connection === null) throw refuse(file, 'connection is not an object');
  const secrets = references(file, root['secrets'] ?? {});
  const name = typeof root['name'] === 'string' && root['name'] !== '' ? root['name'] : 'local';
  return { targetId: 'local-target', name, platform, connection, secrets };
}

/** Looks up one secret of a target file. @throws {AppError} CONFIG_INVALID, INPUT_INVALID */
export function targetSecret(target: TargetFile, name: string): Secret {
  const reference = target.secrets[name];
  if (reference === undefined) {
    throw new AppError({
      code: 'INPUT_INVALID',
      message: `read secret ${name}: the target file does not name it`,
    });
  }
  return readSecretReference(reference, readEnvironment());
}
