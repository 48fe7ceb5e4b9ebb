import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { chainIdOf, fitId, idInRepository, newBackupId, newContextId } from './catalogueIds.ts';

const at = new Date('2025-10-08T19:24:31.999Z');

test('ids have the form that the backup product gives them', () => {
  expect(newBackupId('pgtest1', at)).toBe('backup-pgtest1-20251008-192431');
  expect(newContextId('Web Server 1', at)).toBe('ctx-backup-web-server-1-20251008-192431');
  expect(newBackupId('日本', at)).toBe('backup-vm-20251008-192431');
  expect(chainIdOf('ctx-backup-pgtest1-20251006-203401', 0)).toBe(
    'chain-ctx-backup-pgtest1-20251006-203401-disk0',
  );
});

test('ids fit their column, stay as they are when they do, and two never become one', () => {
  const text = string({ maxLength: 200 });
  assert(
    property(text, text, (one, other) => {
      expect(fitId(one).length).toBeLessThanOrEqual(64);
      expect(fitId(one) === fitId(other)).toBe(one === other);
      expect(one.length > 64 || fitId(one) === one).toBe(true);
      expect(idInRepository(one, 'r').length).toBeLessThanOrEqual(64);
    }),
  );
});
