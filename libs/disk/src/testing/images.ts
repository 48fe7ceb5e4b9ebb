import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';

/** One command of a test image: fill a range with a byte, or write zeros there. */
export interface ImageWrite {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** 0…255; `zero` makes a zero cluster instead of data. */
  readonly fill: number | 'zero';
}

/** Makes a folder in the temp folder that is removed after `run`, whatever happens in it. */
export async function withTempFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ascend-disk-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs qemu-img and returns what it printed. */
export async function qemuImg(...args: readonly string[]): Promise<string> {
  return (await runProcess({ program: 'qemu-img', args })).stdout;
}

/** Applies writes to an image with qemu-io. */
export async function writeImage(
  filePath: string,
  format: string,
  writes: readonly ImageWrite[],
): Promise<void> {
  const commands = writes.flatMap(({ offsetBytes, lengthBytes, fill }) => [
    '-c',
    fill === 'zero'
      ? `write -z ${offsetBytes} ${lengthBytes}`
      : `write -P ${fill} ${offsetBytes} ${lengthBytes}`,
  ]);
  if (commands.length === 0) return;
  await runProcess({ program: 'qemu-io', args: ['-f', format, ...commands, filePath] });
}

/** Creates an image; with `backing` a QCOW2 overlay whose recorded backing name is `backing` as given. */
export async function makeImage(params: {
  readonly path: string;
  readonly format: string;
  readonly sizeBytes: number;
  readonly backing?: string;
  readonly options?: string;
  readonly writes?: readonly ImageWrite[];
}): Promise<void> {
  const options = params.options === undefined ? [] : ['-o', params.options];
  const backing = params.backing === undefined ? [] : ['-b', params.backing, '-F', 'qcow2'];
  await qemuImg(
    'create',
    '-q',
    '-f',
    params.format,
    ...options,
    ...backing,
    params.path,
    String(params.sizeBytes),
  );
  await writeImage(params.path, params.format, params.writes ?? []);
}

/** SHA-256 (hex) of a file's bytes. */
export async function sha256Of(filePath: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(filePath))
    .digest('hex');
}
