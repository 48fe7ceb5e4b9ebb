import { expect, test } from 'vitest';
import { migrationsDir, readMigrations } from './migrationFiles.ts';
import { parseStatements } from './statement.ts';

test('conditions, additions and SQL are told apart', () => {
  const [statement, second] = parseStatements(
    [
      '-- a remark; with a semicolon',
      '--? if table backup_jobs',
      '--? unless column backup_jobs.vm_name',
      '--? if index backup_jobs.PRIMARY',
      '--+ backup_jobs.vm_name VARCHAR(255)',
      "ALTER TABLE backup_jobs COMMENT 'one; two';",
      '--> statement-breakpoint',
      'SELECT 1',
    ].join('\n'),
    'x',
  );
  expect(statement).toEqual({
    conditions: [
      { wanted: true, kind: 'table', table: 'backup_jobs', name: '' },
      { wanted: false, kind: 'column', table: 'backup_jobs', name: 'vm_name' },
      { wanted: true, kind: 'index', table: 'backup_jobs', name: 'PRIMARY' },
    ],
    additions: [{ table: 'backup_jobs', column: 'vm_name', type: 'VARCHAR(255)' }],
    sql: "ALTER TABLE backup_jobs COMMENT 'one; two'",
  });
  expect(second?.sql).toBe('SELECT 1');
});

test.each([
  ['an unknown condition', '--? when table x\nSELECT 1'],
  ['a column without its name', '--? if column x\nSELECT 1'],
  ['a table with a column', '--? if table x.y\nSELECT 1'],
  ['an addition without a type', '--+ x.y'],
  ['an empty statement', '-- nothing'],
  ['two statements in one', 'SELECT 1;\nSELECT 2;'],
])('%s is refused', (_what, text) => {
  expect(() => parseStatements(text, 'x')).toThrow(
    expect.objectContaining({ code: 'STORE_MIGRATION_MALFORMED' }),
  );
});

test('a folder that cannot be read is refused with its path', async () => {
  await expect(readMigrations('/nonexistent')).rejects.toMatchObject({
    code: 'STORE_MIGRATION_MALFORMED',
    message: expect.stringContaining('/nonexistent'),
  });
});

test('no statement uses what only one of the two servers knows', async () => {
  const migrations = await readMigrations(migrationsDir);
  const statements = migrations.flatMap((migration) => migration.up.concat(migration.down));
  expect(statements.length).toBeGreaterThan(50);
  for (const { sql } of statements) {
    expect(sql).not.toMatch(/RETURNING|->>|0900|ADD COLUMN IF NOT EXISTS|DROP COLUMN IF EXISTS/i);
  }
});
