import { expect, test } from 'vitest';
import { requiredRole, roleCovers } from './roles.ts';

test.each([
  ['GET', '/api/v1/health', null],
  ['GET', '/api/v1/ready', null],
  ['POST', '/api/v1/agents/enrol', null],
  ['GET', '/api/v1/openapi.json', null],
  ['GET', '/api/v1/metrics', 'viewer'],
  ['GET', '/api/v1/targets', 'viewer'],
  ['POST', '/api/v1/targets', 'admin'],
  ['POST', '/api/v1/targets/t1/check', 'operator'],
  ['DELETE', '/api/v1/agents/a1', 'admin'],
  ['PUT', '/api/v1/agents/a1/bandwidth', 'operator'],
  ['POST', '/api/v1/restores/r1/bandwidth', 'operator'],
  ['POST', '/api/v1/restores', 'operator'],
  ['POST', '/api/v1/catalog/scan', 'operator'],
  ['POST', '/api/v1/catalog/sync', 'admin'],
  ['PUT', '/api/v1/backups/b1/spec', 'operator'],
  ['POST', '/unknown', 'operator'],
] as const)('%s %s needs %s', (method, path, role) => {
  expect(requiredRole(method, path)).toBe(role);
});

test('a higher role covers a lower one and never the other way round', () => {
  expect(roleCovers('admin', 'viewer')).toBe(true);
  expect(roleCovers('operator', 'operator')).toBe(true);
  expect(roleCovers('viewer', 'operator')).toBe(false);
  expect(roleCovers('operator', 'admin')).toBe(false);
});
