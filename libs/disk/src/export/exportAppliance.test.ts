import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { listMembers } from '../ova/readArchive.ts';
import { expectSameDisk, withExportBench, type ExportBench } from '../testing/exportBench.ts';
import { makeImage } from '../testing/images.ts';
import { exportAppliance, type ExportApplianceParams } from './exportAppliance.ts';
import { planAppliance, type AppliancePlan, type PlanApplianceParams } from './planAppliance.ts';
import { verifyAppliance } from './verifyAppliance.ts';

const mib = 1024 * 1024;
const spec: VmSpec = {
  name: 'web',
  cpuCount: 2,
  coresPerSocket: null,
  memoryBytes: 1024 * mib,
  firmware: 'uefi',
  secureBoot: false,
  tpm: false,
  disks: [],
  nics: [],
  osId: 'debian12',
  notes: null,
  tags: {},
};

async function plan(bench: ExportBench, more: Partial<PlanApplianceParams> = {}): Promise<AppliancePlan> {
  const second = path.join(bench.folder, 'backup', 'second.qcow2');
  const writes = [{ offsetBytes: 0, lengthBytes: 2 * mib, fill: 5 }];
  await makeImage({ path: second, format: 'qcow2', sizeBytes: 10 * mib + 512, writes });
  return await planAppliance({
    chains: [bench.top, second],
    spec,
    repositoryRoot: null,
    sourceFormat: null,
    engine: 'auto',
    finalPath: path.join(bench.folder, 'out', 'web.ova'),
    verify: 'read-back',
    bandwidthBytesPerSecond: null,
    resume: false,
    workDir: path.join(bench.folder, 'work'),
    signal: new AbortController().signal,
    ...more,
  });
}

function run(planned: AppliancePlan, more: Partial<ExportApplianceParams> = {}) {
  const { signal } = new AbortController();
  return exportAppliance(planned, {
    signal,
    onProgress: () => undefined,
    onRemark: () => undefined,
    ...more,
  });
}

test('a VM becomes one file whose disks, taken out, are the disks of its chains', async () => {
  await withExportBench(async (bench) => {
    const planned = await plan(bench, { resume: true });
    const seen = new Set<string>();
    const result = await run(planned, {
      onProgress: (disk, { phase }) => void seen.add(`${planned.disks.indexOf(disk)} ${phase}`),
    });
    expect([...seen]).toEqual(['0 copy', '1 copy', '0 verify', '1 verify']);
    expect(result.fileSizeBytes).toBeLessThanOrEqual(planned.atMostBytes);
    expect(result.remarks.join()).toContain('starts at zero: an archive');
    expect(result.disks.map(({ sha256, verify }) => verify.sha256 === sha256)).toEqual([true, true]);
    expect(await readdir(path.join(bench.folder, 'out'))).toEqual(['web.ova']);
    const folder = path.join(bench.folder, 'unpacked');
    await mkdir(folder);
    await runProcess({ program: 'tar', args: ['-xf', result.finalPath, '-C', folder] });
    await expectSameDisk(bench, 'vmdk-stream', path.join(folder, 'web-disk1.vmdk'));
    await expect(run(planned)).rejects.toMatchObject({ code: 'DISK_TARGET_EXISTS' });
  });
});

test('a wrong byte in a member is found by what decodes it and by the manifest, and not published', async () => {
  await withExportBench(async (bench) => {
    const planned = await plan(bench, { verify: 'none' });
    const { finalPath, disks } = await run(planned);
    const second = (await listMembers(finalPath)).find(({ name }) => name === 'web-disk2.vmdk');
    const handle = await open(finalPath, 'r+');
    // Behind header and descriptor: inside the first grain.
    await handle.write(Buffer.alloc(64, 7), 0, 64, (second?.offsetBytes ?? 0) + 65_536 + 20);
    await handle.close();
    const { signal } = new AbortController();
    const check = async (verify: 'sample' | 'read-back') => {
      const proven = planned.disks.map((disk, index) => ({
        plan: { ...disk, params: { ...disk.params, verify } },
        name: disks[index]?.name ?? '',
        sha256: null,
      }));
      return await verifyAppliance({
        filePath: finalPath,
        disks: proven,
        signal,
        onProgress: () => undefined,
      });
    };
    await expect(check('read-back')).rejects.toThrow('web-disk2.vmdk do not have the digest');
    await expect(check('sample')).rejects.toMatchObject({ code: expect.stringMatching(/^DISK_/) });
  });
});

test('a cancelled one leaves nothing, and what cannot be packed is refused before anything is written', async () => {
  await withExportBench(async (bench) => {
    const out = path.join(bench.folder, 'out');
    const stop = new AbortController();
    const slow = await plan(bench, { bandwidthBytesPerSecond: 8 * mib });
    const running = run(slow, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(running).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(await readdir(out)).toEqual([]);
    await expect(plan(bench, { engine: 'qemu-img' })).rejects.toMatchObject({
      code: 'DISK_TARGET_UNSUPPORTED',
    });
    await expect(plan(bench, { spec: { ...spec, memoryBytes: 1 } })).rejects.toMatchObject({
      code: 'DISK_OVF_INVALID',
    });
    await writeFile(path.join(out, 'web.ova'), 'precious');
    await expect(plan(bench)).rejects.toMatchObject({ code: 'DISK_TARGET_EXISTS' });
  });
});

test('an archive that was cut or changed is no list of members', async () => {
  await withExportBench(async (bench) => {
    const { finalPath } = await run(await plan(bench, { verify: 'none' }));
    const members = await listMembers(finalPath);
    expect(members.map(({ name }) => name)).toEqual([
      'web.ovf',
      'web.mf',
      'web-disk1.vmdk',
      'web-disk2.vmdk',
    ]);
    const handle = await open(finalPath, 'r+');
    await handle.truncate((members[3]?.offsetBytes ?? 0) + 512);
    await expect(listMembers(finalPath)).rejects.toThrow('ends behind the file');
    await handle.truncate(members[3]?.offsetBytes);
    await handle.write(Buffer.from('x'), 0, 1, (members[2]?.offsetBytes ?? 0) - 512);
    await handle.close();
    await expect(listMembers(finalPath)).rejects.toMatchObject({ code: 'DISK_HEADER_INVALID' });
  });
});
