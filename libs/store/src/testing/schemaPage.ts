import type { TableDescription } from './describeSchema.ts';

function tableOf(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = header.map((title, index) =>
    Math.max(3, title.length, ...escaped.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...escaped.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

function section(table: TableDescription): string {
  const columns = table.columns.map((column) => [
    code(column.name),
    column.type,
    column.nullable ? 'null' : 'not null',
    column.extra === '' ? (column.default ?? '') : column.extra,
    column.comment,
  ]);
  const keys = table.indexes.map((index) => [
    code(index.name),
    index.unique ? 'unique' : '',
    index.columns.join(', '),
  ]);
  const foreign = table.foreignKeys.map((key) => [
    code(key.name),
    key.column,
    key.references,
    key.onDelete.toLowerCase(),
  ]);
  return [
    `## ${table.name}`,
    tableOf(['column', 'type', 'null', 'default', 'remark'], columns),
    tableOf(['key', 'kind', 'columns'], keys),
    ...(foreign.length === 0 ? [] : [tableOf(['foreign key', 'column', 'to', 'on delete'], foreign)]),
  ].join('\n\n');
}

/** The schema page (SCHEMA.md) of a migrated database. */
export function schemaPage(tables: readonly TableDescription[]): string {
  const intro = [
    '# Tables',
    'Generated from a migrated database by `npm run -w libs/store schema-page`; a test compares it. The',
    'statements are in `migrations/`. All tables are InnoDB, utf8mb4 with collation utf8mb4_bin; times are UTC.',
  ];
  const [title, ...text] = intro;
  return `${[title, text.join('\n'), ...tables.map(section)].join('\n\n')}\n`;
}
