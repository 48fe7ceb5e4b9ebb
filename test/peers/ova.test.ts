import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeImage } from '@ascend/disk/testing';
import type { VmSpec } from '@ascend/domain';
import { runProcess, startProcess, type RunningProcess } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { root, until } from '../system/ascendSystem.ts';
import { freePort } from './freePort.ts';
import { applianceImporter, buildGoPrograms } from './goPrograms.ts';

const mib = 1024 ** 2;

const devicesSchema = z.object({
  devices: z.array(
    z.object({
      type: z.string(),
      capacityInBytes: z.number().optional(),
      unitNumber: z.number().nullish(),
      macAddress: z.string().optional(),
    }),
  ),
});

const vmSchema = z.object({
  virtualMachines: z
    .array(
      z.object({
        name: z.string(),
        config: z.object({ hardware: z.object({ numCPU: z.number(), memoryMB: z.number() }) }),
      }),
    )
    .length(1),
});

describe('an appliance in a simulated virtualisation host of others', () => {
  let folder: string;
  let govc: (...args: readonly string[]) => Promise<string>;
  let simulator: RunningProcess;
  const disk = { bus: null, bootOrder: null, vmwareDiskKey: null };
  const vm: VmSpec = {
    name: 'web 01',
    cpuCount: 4,
    coresPerSocket: 2,
    memoryBytes: 2048 * mib,
    firmware: 'uefi',
    secureBoot: true,
    tpm: false,
    disks: [
      { ...disk, diskIndex: 0, sizeBytes: 64 * mib },
      { ...disk, diskIndex: 1, sizeBytes: 10 * mib },
    ],
    nics: [{ nicIndex: 0, network: 'VM Network', mac: '00:50:56:00:00:01', model: null, addresses: [] }],
    osId: 'debian12',
    notes: 'restored from a backup',
    tags: {},
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ascend-ova-'));
    const programs = await buildGoPrograms(applianceImporter);
    const port = await freePort();
    simulator = startProcess({
      program: join(programs, 'vcsim'),
      args: ['-l', `127.0.0.1:${port}`],
      dieWithParent: true,
    });
    const env = {
      GOVC_URL: `https://user:pass@127.0.0.1:${port}/sdk`,
      GOVC_INSECURE: '1',
      HOME: folder,
      GOVC_RESOURCE_POOL: '/DC0/host/DC0_C0/Resources',
    };
    govc = async (...args) =>
      (await runProcess({ program: join(programs, 'govc'), args, env, cwd: folder })).stdout;
    await until('the simulator answers', 30, async () => {
      await govc('about');
      return true;
    });
  });

  afterAll(async () => {
    await simulator.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** An appliance out of two chains, by the command that a user gives. */
  async function pack(finalPath: string): Promise<void> {
    const chains = vm.disks.map((_, index) => join(folder, `disk${index}.qcow2`));
    for (const [index, { sizeBytes }] of vm.disks.entries()) {
      const writes = [{ offsetBytes: mib, lengthBytes: mib, fill: index + 1 }];
      await makeImage({ path: chains[index] ?? '', format: 'qcow2', sizeBytes, writes });
    }
    const spec = join(folder, 'web.vmspec.json');
    await writeFile(spec, JSON.stringify(vm));
    const args = ['local', 'export', ...chains, '--format', 'ova', '--spec', spec, '--out', finalPath];
    await runProcess({
      program: join(root, 'apps/cli/bin/ascend'),
      args: [...args, '--verify', 'read-back'],
    });
  }

  it('is understood and imported with CPUs, memory, disks and network as described', async () => {
    const ova = join(folder, 'web.ova');
    await pack(ova);
    const spec: unknown = JSON.parse(await govc('import.spec', ova));
    expect(spec).toMatchObject({ NetworkMapping: [{ Name: 'VM Network' }] });
    // Without -m: the simulator hashes what it gets by SHA-1 only; the digests are compared in the tests of the writer.
    await govc('import.ova', ova);
    const info = vmSchema.parse(JSON.parse(await govc('vm.info', '-json', 'web 01')));
    expect(info.virtualMachines[0]?.config.hardware).toEqual({ numCPU: 4, memoryMB: 2048 });
    const { devices } = devicesSchema.parse(JSON.parse(await govc('device.info', '-json', '-vm', 'web 01')));
    const disks = devices.filter(({ type }) => type === 'VirtualDisk');
    expect(disks.map(({ capacityInBytes }) => capacityInBytes)).toEqual([64 * mib, 10 * mib]);
    expect(disks.map(({ unitNumber }) => unitNumber)).toEqual([0, 1]);
    expect(devices.map(({ type }) => type)).toContain('ParaVirtualSCSIController');
    expect(devices.filter(({ type }) => type === 'VirtualVmxnet3')).toHaveLength(1);
  });
});
