import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { AppError, isAppError, toAppError } from './appError.ts';
import { categoryTraits } from './category.ts';
import { codeRow, codes, isErrorCode } from './codes.ts';
import { deserializeError, serializeError } from './serialize.ts';

const anyCode = fc.constantFrom(...Object.keys(codes).filter((code) => isErrorCode(code)));
const anyDetails = fc.dictionary(
  fc.stringMatching(/^[a-z][a-zA-Z]{0,10}$/),
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string())),
);

it('an error is the same after a trip over the wire', () => {
  fc.assert(
    fc.property(anyCode, fc.string(), anyDetails, fc.string(), (code, message, details, cause) => {
      const error = new AppError({ code, message, details, cause: new Error(cause) });
      const back = deserializeError(JSON.parse(JSON.stringify(serializeError(error))));
      expect(serializeError(back)).toEqual(serializeError(error));
      expect(back.category).toBe(codeRow(code).category);
      expect(back.retry).toBe(categoryTraits[back.category].retry);
    }),
  );
});

it('a code of a newer version becomes a bug that still names it', () => {
  const back = deserializeError({ code: 'FUTURE_CODE', message: 'm', hint: 'h', details: {}, causes: [] });
  expect(back).toMatchObject({ code: 'INTERNAL_BUG', message: 'FUTURE_CODE: m', hint: 'h' });
});

it('an abort is a cancellation, anything unknown is a bug with its cause', () => {
  const abort = new DOMException('stop', 'AbortError');
  expect(toAppError(abort, 'copy').code).toBe('OPERATION_CANCELLED');
  const thrown = new TypeError('x is not a function');
  expect(toAppError(thrown, 'copy')).toMatchObject({ code: 'INTERNAL_BUG', cause: thrown });
  expect(toAppError('text', 'copy').message).toBe('copy: text');
});

it('an error is recognised by its brand, also across copies of this module', () => {
  const foreign = Object.defineProperty(new Error('x'), Symbol.for('ascend.AppError'), { value: true });
  expect(isAppError(foreign)).toBe(true);
  expect(isAppError(new Error('x'))).toBe(false);
  expect(isAppError(null)).toBe(false);
});

it('every code has a meaning and a hint that are sentences', () => {
  for (const [code, row] of Object.entries(codes)) {
    expect(row.meaning).toMatch(/^[A-Z`"“].*[.)]$/s);
    expect(row.hint).toMatch(/^[A-Z`"“].*[.)]$/s);
    expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/);
  }
});
