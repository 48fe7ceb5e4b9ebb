import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { fileFormats, type FileFormat } from '../sinks/fileSink.ts';
import { cutExport, expectSameDisk, withExportBench } from '../testing/exportBench.ts';
import { makeImage } from '../testing/images.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { exportFiles, identify } from './exportFiles.ts';

const mib = 1024 * 1024;
const resumable = ['raw', 'qcow2'] as const;

/** Changes the first cluster of data of a file in which data of the full lies in clusters of 64 KiB, tables untouched. */
async function damageData(filePath: string): Promise<void> {
  const bytes = await readFile(filePath);
  const cluster = Buffer.alloc(65_536, 1);
  let at = 0;
  while (!bytes.subarray(at, at + cluster.length).equals(cluster)) at += cluster.length;
  bytes.fill(9, at, at + 512);
  await writeFile(filePath, bytes);
}

test.each(fileFormats)(
  'a chain exported as %s is the same disk, within what was estimated',
  async (format) => {
    await withExportBench(async (bench) => {
      const plan = await bench.plan(format, { verify: 'read-back' });
      expect(plan.survey.dataBytes).toBeGreaterThan(15 * mib);
      const progress = new Set<string>();
      const result = await bench.run(plan, { onProgress: ({ phase }) => void progress.add(phase) });
      await expectSameDisk(bench, format, result.finalPath);
      expect(result.allocatedBytes).toBeLessThanOrEqual(plan.estimate.bytesToWrite.atMostBytes + 65_536);
      expect(result.verify).toMatchObject({ mode: 'read-back', sha256: result.sha256 });
      expect([...progress]).toEqual(['copy', 'verify']);
      expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
    });
  },
);

test.each(resumable)('a cut export to %s keeps what is confirmed and goes on there', async (format) => {
  await withExportBench(async (bench) => {
    const error = await cutExport(bench, format);
    expect(error).toMatchObject({ code: 'OPERATION_CANCELLED', hint: expect.stringContaining('--resume') });
    const { files } = await bench.plan(format);
    expect(existsSync(files.finalPath)).toBe(false);
    expect(existsSync(files.partialPath)).toBe(true);
    const plan = await bench.plan(format, { resume: true, verify: 'read-back' });
    const remarks: string[] = [];
    const result = await bench.run(plan, { onRemark: (text) => void remarks.push(text) });
    expect(result.resumedFromBytes).toBeGreaterThan(0);
    expect(remarks.join()).toContain(`goes on at offset ${result.resumedFromBytes}`);
    await expectSameDisk(bench, format, result.finalPath);
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
  });
});

test.each(resumable)(
  'damage to the confirmed part of a %s is found, and the file is not published',
  async (format) => {
    await withExportBench(async (bench) => {
      await cutExport(bench, format);
      const { files } = await bench.plan(format);
      await damageData(files.partialPath);
      const plan = await bench.plan(format, { resume: true, verify: 'read-back' });
      await expect(bench.run(plan)).rejects.toMatchObject({ code: 'DISK_VERIFY_MISMATCH' });
      expect(await readdir(path.join(bench.folder, 'out'))).toEqual([]);
    });
  },
);

test('a resume starts at zero and says why when either end is not what it was', async () => {
  await withExportBench(async (bench) => {
    const reasons: string[] = [];
    const resumeTo = async (format: FileFormat): Promise<void> => {
      const plan = await bench.plan(format, { resume: true });
      const result = await bench.run(plan, { onRemark: (text) => void reasons.push(text) });
      expect(result.resumedFromBytes).toBe(0);
      await expectSameDisk(bench, format, result.finalPath);
      await rm(result.finalPath);
    };
    await resumeTo('raw');
    await cutExport(bench, 'raw');
    await resumeTo('qcow2');
    const { files } = await bench.plan('raw');
    await cutExport(bench, 'raw');
    await truncate(files.partialPath, mib);
    await resumeTo('raw');
    await cutExport(bench, 'raw');
    await rm(files.partialPath);
    await writeFile(files.partialPath, Buffer.alloc(64 * mib, 9));
    await resumeTo('raw');
    await cutExport(bench, 'raw');
    await writeFile(files.checkpointPath, '{"version": 1}');
    await resumeTo('raw');
    await cutExport(bench, 'raw');
    await utimes(bench.top, new Date(), new Date(Date.now() + 60_000));
    await resumeTo('raw');
    const words = [
      'no earlier',
      'wrote raw',
      'shorter',
      'not the one',
      'cannot be read',
      'backup has changed',
    ];
    expect(reasons).toHaveLength(words.length);
    for (const [index, word] of words.entries()) expect(reasons[index]).toContain(word);
  });
});

test('an attempt that died between the last byte and its clean-up is finished by a resume, not repeated', async () => {
  await withExportBench(async (bench) => {
    const done = await bench.run(await bench.plan('raw'));
    const files = exportFiles(done.finalPath);
    const { ino } = await stat(done.finalPath);
    const written = await identify(done.finalPath);
    const { fingerprint, survey } = await bench.plan('raw', {
      finalPath: path.join(bench.folder, 'out', 'other'),
    });
    const checkpoint = {
      version: 1,
      fingerprint,
      format: 'raw',
      sizeBytes: survey.sizeBytes,
      confirmedBytes: survey.sizeBytes,
      target: { identity: written?.identity, sizeBytes: survey.sizeBytes },
      finished: { sha256: done.sha256, bytesCopied: done.bytesCopied, bytesSkipped: done.bytesSkipped },
    };
    await writeFile(files.checkpointPath, JSON.stringify(checkpoint));
    const again = await bench.run(await bench.plan('raw', { resume: true, verify: 'sample' }));
    expect(again).toMatchObject({ sha256: done.sha256, verify: { mode: 'sample' } });
    expect((await stat(done.finalPath)).ino).toBe(ino);
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
    // Without a checkpoint of its own a file there is somebody's.
    await expect(bench.plan('raw', { resume: true })).rejects.toMatchObject({ code: 'DISK_TARGET_EXISTS' });
  });
});

test('a file that appears under the final name during the export is not replaced, and the work is not lost', async () => {
  await withExportBench(async (bench) => {
    const plan = await bench.plan('raw', { verify: 'read-back' });
    const { finalPath } = plan.files;
    const running = bench.run(plan, {
      onProgress: ({ phase }) => {
        if (phase === 'verify' && !existsSync(finalPath)) void writeFile(finalPath, 'precious');
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'DISK_TARGET_EXISTS' });
    expect((await stat(finalPath)).size).toBe(8);
    await rm(finalPath);
    const result = await bench.run(await bench.plan('raw', { resume: true }));
    expect(result.remarks.join()).toContain('had written all of it');
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
  });
});

test('two exports to one name exclude each other', async () => {
  await withExportBench(async (bench) => {
    const plan = await bench.plan('raw');
    const both = await Promise.allSettled([bench.run(plan), bench.run(plan)]);
    const failed = both.filter((one) => one.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toMatchObject({ code: 'DISK_TARGET_BUSY' });
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['disk']);
  });
});

test.skipIf(process.getuid?.() !== 0)('too little space is told before anything is created', async () => {
  await withExportBench(async (bench) => {
    const out = path.join(bench.folder, 'out');
    await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=10m', 'tmpfs', out] });
    try {
      await expect(bench.run(await bench.plan('raw'))).rejects.toMatchObject({
        code: 'DISK_SPACE_EXHAUSTED',
        details: { folder: out, missingBytes: expect.any(Number) },
      });
      expect(await readdir(out)).toEqual([]);
    } finally {
      await runProcess({ program: 'umount', args: [out] });
    }
  });
});

test('a name that promises raw on an image of another format is not guessed at', async () => {
  await withExportBench(async (bench) => {
    const file = path.join(bench.folder, 'backup', 'cloud.img');
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 8 * mib });
    await expect(bench.plan('raw', { file })).rejects.toMatchObject({
      code: 'DISK_FORMAT_MISMATCH',
      hint: expect.stringContaining('--source-format'),
    });
    expect((await bench.plan('raw', { file, sourceFormat: 'qcow2' })).survey.sizeBytes).toBe(8 * mib);
  });
});

test('any JSON is read as a checkpoint or as none', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
      expect(parseCheckpoint(fields)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), (value, confirmedBytes) => {
      const whole = {
        version: 1,
        fingerprint: 'a',
        format: 'raw',
        sizeBytes: 2 ** 40,
        confirmedBytes,
        target: { identity: '1:2', sizeBytes: 3 },
        finished: value,
      };
      expect(parseCheckpoint(whole)).toMatchObject({ confirmedBytes, target: { identity: '1:2' } });
      expect(parseCheckpoint({ ...whole, sizeBytes: confirmedBytes - 1 })).toBeNull();
    }),
  );
});
