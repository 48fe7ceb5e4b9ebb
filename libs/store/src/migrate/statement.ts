import { AppError } from '@ascend/errors';

/** What must hold for a statement to run; read from `information_schema` just before. */
export interface Condition {
  readonly wanted: boolean;
  readonly kind: 'table' | 'column' | 'index';
  readonly table: string;
  /** Column or index; empty for a table. */
  readonly name: string;
}

/** A nullable column to add to a table that exists but lacks it. */
interface Addition {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

/** One step of a migration: additions first, then the SQL when its conditions hold. */
export interface Statement {
  readonly conditions: readonly Condition[];
  readonly additions: readonly Addition[];
  /** Empty when there is nothing but additions. */
  readonly sql: string;
}

const kinds: readonly Condition['kind'][] = ['table', 'column', 'index'];
const breakpoint = '--> statement-breakpoint';
const conditionLine = /^--\? (if|unless) (table|column|index) ([a-z_]+)(?:\.([A-Za-z_]+))?$/;
const additionLine = /^--\+ ([a-z_]+)\.([a-z_]+) ([A-Z0-9(),]+)$/;

function malformed(origin: string, problem: string): AppError {
  return new AppError({ code: 'STORE_MIGRATION_MALFORMED', message: `read migration ${origin}: ${problem}` });
}

function parseCondition(line: string, origin: string): Condition {
  const [, word, kindWord, table, name] = conditionLine.exec(line) ?? [];
  const kind = kinds.find((one) => one === kindWord);
  if (kind === undefined || table === undefined || (kind === 'table') !== (name === undefined)) {
    throw malformed(origin, `condition ${JSON.stringify(line)} is not understood`);
  }
  return { wanted: word === 'if', kind, table, name: name ?? '' };
}

function parseAddition(line: string, origin: string): Addition {
  const [, table, column, type] = additionLine.exec(line) ?? [];
  if (table === undefined || column === undefined || type === undefined) {
    throw malformed(origin, `addition ${JSON.stringify(line)} is not understood`);
  }
  return { table, column, type };
}

function parseStatement(text: string, origin: string): Statement {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const conditions = lines
    .filter((line) => line.startsWith('--?'))
    .map((line) => parseCondition(line, origin));
  const additions = lines.filter((line) => line.startsWith('--+')).map((line) => parseAddition(line, origin));
  const sql = lines
    .filter((line) => !line.startsWith('--'))
    .join('\n')
    .trim()
    .replace(/;$/, '');
  if (sql === '' && additions.length === 0) throw malformed(origin, 'a statement is empty');
  if (/;\s*$/m.test(sql)) throw malformed(origin, 'two statements without a breakpoint between them');
  return { conditions, additions, sql };
}

/**
 * Splits a migration file at its breakpoints.
 *
 * @throws {AppError} STORE_MIGRATION_MALFORMED - empty statement, two in one, or an unknown directive
 */
export function parseStatements(text: string, origin: string): readonly Statement[] {
  return text.split(breakpoint).map((part) => parseStatement(part, origin));
}
