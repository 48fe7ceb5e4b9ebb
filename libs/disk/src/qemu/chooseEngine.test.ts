import { AppError, type ErrorCode } from '@ascend/errors';
import { expect, test } from 'vitest';
import { chooseEngine, fallBack, type EngineWish } from './chooseEngine.ts';

const ownFormats = ['raw', 'qcow2', 'vhd'];
const wishFor = (engine: EngineWish['engine'], format: string): EngineWish => ({
  engine,
  format,
  ownFormats,
});
const refusal = (code: ErrorCode): AppError => new AppError({ code, message: 'no such thing here' });

test.each([
  ['auto', 'qcow2', 'own', null],
  ['own', 'qcow2', 'own', null],
  ['own', 'vhdx', 'own', null],
  ['qemu-img', 'qcow2', 'qemu-img', /asked for.*not resumable/],
  ['auto', 'vhdx', 'qemu-img', /no own encoder for vhdx/],
  ['auto', 'ova', 'own', null],
] as const)('engine %s for %s is %s', (engine, format, chosen, remark) => {
  const choice = chooseEngine(wishFor(engine, format));
  expect(choice).toMatchObject({ engine: chosen, format });
  expect(choice.remark ?? 'none').toMatch(remark ?? /^none$/);
});

test.each([
  [
    'auto',
    'vhd',
    'own',
    'DISK_FORMAT_UNSUPPORTED',
    'qemu-img',
    'vhd',
    /own encoder refused \(no such thing here\)/,
  ],
  [
    'auto',
    'vhd',
    'qemu-img',
    'DISK_FORMAT_UNSUPPORTED',
    'own',
    'raw',
    /qemu-img refused vhd .*written as raw/,
  ],
  ['auto', 'ova', 'own', 'DISK_FORMAT_UNSUPPORTED', 'own', 'raw', /own refused ova/],
] as const)(
  '%s for %s: after %s fails with %s comes %s to %s',
  (engine, format, failed, code, next, nextFormat, remark) => {
    const choice = fallBack(wishFor(engine, format), { engine: failed, format, remark: null }, refusal(code));
    expect(choice).toMatchObject({ engine: next, format: nextFormat });
    expect(choice?.remark).toMatch(remark);
  },
);

test.each([
  ['an engine that was asked for', 'own', 'vhd', refusal('DISK_FORMAT_UNSUPPORTED')],
  ['qemu-img that was asked for', 'qemu-img', 'vhd', refusal('DISK_FORMAT_UNSUPPORTED')],
  ['a limit of the format', 'auto', 'vhd', refusal('DISK_FORMAT_LIMIT')],
  ['a full disk', 'auto', 'vhd', refusal('DISK_SPACE_EXHAUSTED')],
  ['a defect', 'auto', 'vhd', new TypeError('oops')],
  ['raw', 'auto', 'raw', refusal('DISK_FORMAT_UNSUPPORTED')],
] as const)('there is no other way after the failure of %s', (_name, engine, format, cause) => {
  const failed = { engine: engine === 'auto' ? 'own' : engine, format, remark: null } as const;
  expect(fallBack(wishFor(engine, format), failed, cause)).toBeNull();
});
