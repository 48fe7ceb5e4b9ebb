import { lineAt } from './sourceText.ts';
import type { SourceFile, Violation } from './sourceTree.ts';

/** Files longer than this are split; there is no list of exceptions. */
const maxLines = 400;

/** Files with more than 400 lines. */
export function checkLength(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap((file) => {
    const lines = file.text.trimEnd().split('\n').length;
    return lines > maxLines
      ? [{ path: file.path, line: maxLines + 1, message: `${lines} lines, ${maxLines} are allowed` }]
      : [];
  });
}

const exportPattern =
  /^export (?:default\b|(?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum)\s+([\w$]+))/gm;

function hasDocComment(text: string, offset: number): boolean {
  const above = text.slice(0, offset).trimEnd();
  if (!above.endsWith('*/')) return false;
  const start = above.lastIndexOf('/*');
  return above.startsWith('/**', start) && /[\p{L}\p{N}]/u.test(above.slice(start));
}

/** Exported symbols without a doc comment. Re-exports are free, and so are overloads after the first. */
export function checkDocComments(files: readonly SourceFile[]): readonly Violation[] {
  return files
    .filter((file) => !file.path.endsWith('.test.ts'))
    .flatMap((file) => {
      const seen = new Set<string>();
      return [...file.bare.matchAll(exportPattern)].flatMap((match) => {
        const isFunction = /\bfunction\b/.test(match[0]);
        const name = match[1] ?? 'default';
        const overload = isFunction && seen.has(name);
        if (isFunction) seen.add(name);
        return overload || hasDocComment(file.text, match.index)
          ? []
          : [
              {
                path: file.path,
                line: lineAt(file.text, match.index),
                message: `export ${name} has no doc comment`,
              },
            ];
      });
    });
}

function matchesIn(
  file: SourceFile,
  view: 'bare' | 'comments',
  pattern: RegExp,
  message: (found: string) => string,
): readonly Violation[] {
  return [...file[view].matchAll(pattern)].map((match) => ({
    path: file.path,
    line: lineAt(file.text, match.index),
    message: message(match[0].trim()),
  }));
}

// A reason has two words at least; lint and coverage take it after ` -- `, the compiler after the directive.
const unexplained = [
  /(?:(?:ox|es)lint-disable|prettier-ignore|(?:v8|c8|istanbul) ignore)(?![^\n]* -- \S+ +\S)[^\n]*/g,
  /@ts-(?:ignore|expect-error|nocheck)(?![ :-]+\w+ +\w)[^\n]*/g,
];

/** Comments that switch a check off without saying why. */
export function checkDisableComments(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap((file) =>
    unexplained.flatMap((pattern) => matchesIn(file, 'comments', pattern, (found) => `no reason: ${found}`)),
  );
}

/** Notes to do something later. */
export function checkNotes(files: readonly SourceFile[]): readonly Violation[] {
  return files.flatMap((file) =>
    matchesIn(file, 'comments', /\b(?:TODO|FIXME|XXX|HACK)\b[^\n]*/g, (found) => `unfinished: ${found}`),
  );
}

/** Modules that start processes, imported outside libs/runtime. */
export function checkProcesses(files: readonly SourceFile[]): readonly Violation[] {
  const pattern =
    /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)['"](?:(?:node:)?child_process|execa)['"]/g;
  return files
    .filter((file) => !file.path.startsWith('libs/runtime/'))
    .flatMap((file) => matchesIn(file, 'bare', pattern, (found) => `starts processes itself: ${found}`));
}
