import { chmod, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess, type ProcessResult } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { chainCases } from './corpus/chainCases.ts';
import { cut, place, type BrokenImage } from './corpus/brokenImage.ts';
import { otherFormatCases } from './corpus/otherFormats.ts';
import { makeTemplates } from './corpus/templates.ts';
import { expectNoProcess } from './watch.ts';

const ascend = path.join(import.meta.dirname, '../../apps/cli/bin/ascend');
const templates = await makeTemplates();
const all = [...chainCases(templates).values(), ...otherFormatCases(templates).values()].flat();

const names = [
  'a backing name that is control characters',
  'a backing name that is a newline',
  'a backing name that is a JSON description',
  'a loop of 3 files',
  'a folder as disk.qcow2',
  'a pipe as disk.raw',
  'a QCOW2 that stands on a link out of the repository',
  'a VMDK whose sparse extent holds a descriptor that leads outside',
  'a VMDK descriptor with a control character in a name',
  'a raw disk whose guest wrote a QCOW2 header onto it',
  'a damaged QCOW2 in a name of control characters',
  'a small QCOW2 of 8 PiB',
  'a raw disk cut at 0',
];

function find(name: string): BrokenImage {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the corpus has no ${name}`);
  return found;
}

const unreadable: BrokenImage = {
  name: 'a file without the right to read it',
  code: 'DISK_FILE_UNREADABLE',
  make: async (folder) => {
    const file = await place(folder, 'disk.qcow2', templates.qcow2.bytes);
    await chmod(file, 0);
    return file;
  },
};

const samples = [...names.map(find), cut(templates.qcow2, 5000), unreadable];

const errorLine = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const isRoot = process.getuid?.() === 0;

/** Runs the real program; root loses the right to read what it may not, as everybody else. */
async function cli(args: readonly string[]): Promise<ProcessResult> {
  const drop = ['--bounding-set', '-dac_override,-dac_read_search', ascend, ...args];
  return await runProcess({
    program: isRoot ? 'setpriv' : ascend,
    args: isRoot ? drop : args,
    okExitCodes: Array.from({ length: 128 }, (_, code) => code),
    signal: AbortSignal.timeout(120_000),
  });
}

/** Line ends apart, nothing that a terminal obeys. */
function expectHarmless({ stdout, stderr }: ProcessResult): void {
  for (const text of [stdout, stderr])
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

describe('the program, given', () => {
  test.each(samples)('$name, says what is wrong with a code and leaves nothing', async (one) => {
    await withTempFolder(async (base) => {
      const [repository, out] = [path.join(base, 'repo'), path.join(base, 'out')];
      for (const folder of [repository, out]) await mkdir(folder);
      const image = await one.make(repository);
      const inspected = await cli(['--json', 'local', 'inspect', image]);
      expectHarmless(inspected);
      expect(inspected.exitCode).not.toBe(0);
      const { error } = errorLine.parse(JSON.parse(inspected.stderr));
      expect(error.code).toMatch(one.code === undefined ? /^DISK_/ : new RegExp(`^${one.code}$`));
      const exported = await cli([
        'local',
        'export',
        image,
        '--format',
        'raw',
        '--out',
        path.join(out, 'disk.raw'),
      ]);
      expectHarmless(exported);
      expect(exported.exitCode).not.toBe(0);
      expect(exported.stderr).toMatch(/^error: .*\n {2}code: DISK_/m);
      expect(await readdir(out)).toEqual([]);
      await expectNoProcess(base);
    });
  });

  test('a whole disk in a name of control characters, exports it and shows the name escaped', async () => {
    await withTempFolder(async (base) => {
      const image = await find('a whole QCOW2 in a name of control characters').make(base);
      const inspected = await cli(['local', 'inspect', image]);
      expectHarmless(inspected);
      expect(inspected).toMatchObject({ exitCode: 0 });
      expect(inspected.stdout).toContain(String.raw`bad\u001b[2J\u009b31m\nerror: fine\u007f.qcow2`);
      await mkdir(path.join(base, 'out'));
      const exported = await cli([
        'local',
        'export',
        image,
        '--format',
        'raw',
        '--out',
        path.join(base, 'out'),
      ]);
      expectHarmless(exported);
      expect(exported).toMatchObject({ exitCode: 0 });
      expect(await readdir(path.join(base, 'out'))).toHaveLength(1);
    });
  });
});
