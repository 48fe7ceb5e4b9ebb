import { categoryTraits, codeRow, codes, isErrorCode } from '@ascend/errors';
import { lineAt } from './sourceText.ts';
import type { SourceFile, Violation } from './sourceTree.ts';

function isTable(path: string): boolean {
  return path.startsWith('libs/errors/src/codes/');
}

/** Codes of the table that nothing raises; fakes of vendors under `testing/` count, tests do not. */
export function checkCodesRaised(files: readonly SourceFile[]): readonly Violation[] {
  const raised = new Set(
    files
      .filter(
        (file) => !isTable(file.path) && !file.path.endsWith('.test.ts') && !file.path.startsWith('test/'),
      )
      .flatMap((file) =>
        [...file.code.matchAll(/['"`]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)['"`]/g)].map((match) => match[1]),
      ),
  );
  return files
    .filter((file) => isTable(file.path))
    .flatMap((file) =>
      [...file.bare.matchAll(/^ {2}([A-Z][A-Z0-9_]+): \{/gm)]
        .filter((match) => !raised.has(match[1]))
        .map((match) => ({
          path: file.path,
          line: lineAt(file.text, match.index),
          message: `code ${match[1]} is raised nowhere`,
        })),
    );
}

/** The page of all error codes, made from the table. */
export function errorCatalogue(): string {
  const names = Object.keys(codes).filter(isErrorCode).sort();
  const areas = [...new Set(names.map((name) => name.split('_')[0]))];
  const lines = [
    '# Error codes',
    '',
    'Made from the table in `src/codes/` by `npm run -w test catalogue`; a test compares. The category decides HTTP status,',
    'exit code of the CLI, and whether the same call may be made again (`safe`: at once, `after`: later, `never`: something has to change).',
  ];
  for (const area of areas) {
    lines.push('', `## ${area}`);
    for (const name of names.filter((candidate) => candidate.split('_')[0] === area)) {
      const row = codeRow(name);
      const traits = categoryTraits[row.category];
      lines.push(
        '',
        `### ${name}`,
        '',
        `${row.meaning} ${row.hint}`,
        '',
        `\`${row.category}\` · HTTP ${traits.httpStatus} · exit code ${traits.exitCode} · retry: ${traits.retry}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
