import { AppError } from '@ascend/errors';
import { expect, test } from 'vitest';
import { errorsOf } from './namedErrors.ts';

const layer = {
  relPath: 'vm1/inc.qcow2',
  absPath: '/srv/vm1/inc.qcow2',
  format: 'qcow2' as const,
  fileSizeBytes: 1,
  mtimeMs: 1,
  headSha256: '',
  virtualSizeBytes: 512,
};
const naming = errorsOf({ layers: [layer] });
const failing = (code: 'DISK_IO_FAILED' | 'OPERATION_CANCELLED', message: string) => (): Promise<never> =>
  Promise.reject(new AppError({ code, message, details: { offsetBytes: 5 } }));

async function* items(): AsyncGenerator<number> {
  yield 1;
  await failing('DISK_IO_FAILED', 'read status: EIO')();
}

test('an error that knows no file gets the top file of the disk and keeps its code and details', async () => {
  await expect(naming.during(failing('DISK_IO_FAILED', 'read 1 byte at 5: EIO'))).rejects.toMatchObject({
    code: 'DISK_IO_FAILED',
    message: 'read vm1/inc.qcow2: read 1 byte at 5: EIO',
    details: { offsetBytes: 5, file: 'vm1/inc.qcow2' },
  });
});

test('one that names the file, and a cancellation, pass as they are', async () => {
  await expect(naming.during(failing('DISK_IO_FAILED', 'open vm1/inc.qcow2: no'))).rejects.toThrow(
    /^open vm1/,
  );
  await expect(naming.during(failing('OPERATION_CANCELLED', 'read: cancelled'))).rejects.toThrow(
    /^read: cancelled$/,
  );
});

test('an error between two items of a list is named too', async () => {
  const seen: number[] = [];
  const read = async (): Promise<void> => {
    for await (const item of naming.each(items())) seen.push(item);
  };
  await expect(read()).rejects.toThrow('read vm1/inc.qcow2: read status: EIO');
  expect(seen).toEqual([1]);
});
