import { expect, it } from 'vitest';
import { parseTargetFile } from './targetFile.ts';

it('reads platform, connection and secret references', () => {
  const target = parseTargetFile('t.json', {
    platform: 'kvm',
    connection: { state_dir: '/x' },
    secrets: { password: 'env:PW' },
  });
  expect(target).toMatchObject({ platform: 'kvm', name: 'local', secrets: { password: 'env:PW' } });
});

it.each([
  [[], 'not a JSON object'],
  [{ platform: 'nope' }, 'platform is missing or unknown'],
  [{ platform: 'kvm', conection: {} }, 'unknown field "conection"'],
  [{ platform: 'kvm', connection: [] }, 'connection is not an object'],
  [{ platform: 'kvm', secrets: { password: 7 } }, 'secrets is not an object of references'],
])('refuses %j because %s', (content, reason) => {
  expect(() => parseTargetFile('t.json', content)).toThrow(reason);
});
