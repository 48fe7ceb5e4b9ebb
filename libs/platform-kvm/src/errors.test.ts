import { mkdir } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { expect, it } from 'vitest';
import { assertNotCancelled, coded, toTargetError } from './errors.ts';

it.each([
  ['EACCES', 'TARGET_DENIED'],
  ['EROFS', 'TARGET_DENIED'],
  ['ENOSPC', 'TARGET_STORAGE_FULL'],
  ['EDQUOT', 'TARGET_STORAGE_FULL'],
  ['ENOENT', 'TARGET_UNREACHABLE'],
  ['ESTALE', 'TARGET_UNREACHABLE'],
  ['EWHATEVER', 'INTERNAL_BUG'],
])('turns %s into %s', (errno, code) => {
  const error = Object.assign(new Error('system'), { code: errno });
  expect(toTargetError(error, 'do it')).toMatchObject({ code, message: expect.stringMatching(/^do it: /) });
});

it('lets coded errors pass', () => {
  const error = new AppError({ code: 'TARGET_NAME_TAKEN', message: 'x' });
  expect(toTargetError(error, 'do it')).toBe(error);
});

it('codes the errors of real file system calls', async () => {
  await expect(coded('make it', mkdir('/proc/nothing/here'))).rejects.toMatchObject({
    code: 'TARGET_UNREACHABLE',
    details: { errno: 'ENOENT' },
  });
});

it('stops when the signal has fired', () => {
  expect(() => assertNotCancelled(AbortSignal.abort(), 'do it')).toThrow(
    expect.objectContaining({ code: 'OPERATION_CANCELLED' }),
  );
  expect(() => assertNotCancelled(new AbortController().signal, 'do it')).not.toThrow();
});
