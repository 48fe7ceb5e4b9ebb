import { describe, expect, test } from 'vitest';
import { lineAt, splitSource } from './sourceText.ts';

describe('the views of a source text', () => {
  test('have the length and the lines of the text', () => {
    const text = 'const a = `x${b /* c */}y`; // d\n/* e\nf */ const g = /h[/]/;\n';
    for (const view of Object.values(splitSource(text))) {
      expect(view).toHaveLength(text.length);
      expect(view.split('\n')).toHaveLength(text.split('\n').length);
    }
  });

  test.each([
    ['a // b', 'a', '// b'],
    ['a /* b */ c', 'a         c', '/* b */'],
    [`a('// b')`, `a('// b')`, ''],
    [`a("\\"// b")`, `a("\\"// b")`, ''],
    ['a = b / c; // d', 'a = b / c;', '// d'],
    ['a = `// ${b // c\n} // d`; // e', 'a =       b     \n       ;', '// c\n         // e'],
    ['a = `${{ b: `${c}` }} // d`', 'a =    { b:    c   }', ''],
    ['return /[/*]/.test(a) /* b */', 'return       .test(a)', '/* b */'],
    ['a = /\\//; // b', 'a =     ;', '// b'],
  ])('of %j', (text, bare, comments) => {
    const views = splitSource(text);
    expect(views.bare.trimEnd()).toBe(bare);
    expect(views.comments.trim()).toBe(comments);
  });

  test('keep templates in the code view', () => {
    expect(splitSource('a = `b`; // c').code.trimEnd()).toBe('a = `b`;');
  });

  test('end at the end of unfinished texts', () => {
    for (const text of ['/* a', '`a ${', '`a', `'a`, '= /a', '//']) {
      expect(splitSource(text).code).toHaveLength(text.length);
    }
  });

  test('count lines from 1', () => {
    expect([lineAt('a\nb', 0), lineAt('a\nb', 2)]).toEqual([1, 2]);
  });
});
