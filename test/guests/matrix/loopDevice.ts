import { runProcess } from '@ascend/runtime';

/** Gives `work` a loop device of a file and takes it away again; needs root. */
export async function withLoopDevice<Result>(
  path: string,
  work: (device: string) => Promise<Result>,
): Promise<Result> {
  const { stdout } = await runProcess({ program: 'losetup', args: ['--find', '--show', path] });
  const device = stdout.trim();
  try {
    return await work(device);
  } finally {
    await runProcess({ program: 'losetup', args: ['--detach', device] });
  }
}
