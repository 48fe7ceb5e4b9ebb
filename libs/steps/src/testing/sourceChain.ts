import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';

/** A write into a test disk: a byte repeated over a range. */
export interface PatternWrite {
  readonly byte: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The image files of one layer, lowest first; the last one is the restore point. */
export async function makeChain(params: {
  readonly rootPath: string;
  readonly diskIndex: number;
  readonly sizeBytes: number;
  readonly layers: readonly (readonly PatternWrite[])[];
}): Promise<string> {
  const folder = `disk-${params.diskIndex}`;
  await mkdir(join(params.rootPath, folder), { recursive: true });
  let below: string | null = null;
  let relPath = '';
  for (const [index, writes] of params.layers.entries()) {
    relPath = join(folder, `layer-${index}.qcow2`);
    const path = join(params.rootPath, relPath);
    const backing: string[] = below === null ? [] : ['-b', below, '-F', 'qcow2'];
    await runProcess({
      program: 'qemu-img',
      args: ['create', '-q', '-f', 'qcow2', ...backing, path, String(params.sizeBytes)],
    });
    const commands = writes.flatMap((write) => [
      '-c',
      `write -P ${write.byte} ${write.offsetBytes} ${write.lengthBytes}`,
    ]);
    if (commands.length > 0)
      await runProcess({ program: 'qemu-io', args: ['-f', 'qcow2', ...commands, path] });
    below = path;
  }
  return relPath;
}

/** What a disk holds after the writes of all layers, in memory: the oracle for copies. */
export function expectedBytes(sizeBytes: number, layers: readonly (readonly PatternWrite[])[]): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (const write of layers.flat()) {
    bytes.fill(write.byte, write.offsetBytes, write.offsetBytes + write.lengthBytes);
  }
  return bytes;
}

/** SHA-256 of every file below a folder, by relative path: a repository must look the same before and after. */
export async function hashTree(root: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hashes = await Promise.all(
    files.toSorted().map(async (path): Promise<[string, string]> => {
      const digest = createHash('sha256').update(await readFile(path));
      return [path.slice(root.length + 1), digest.digest('hex')];
    }),
  );
  return Object.fromEntries(hashes);
}
