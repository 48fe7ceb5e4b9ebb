import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeConnector } from '@ascend/connector/testing';
import { connectNbd, fileBlockdev, serveNbd } from '@ascend/disk';
import { Secret, silentLogger, systemClock } from '@ascend/runtime';
import { createKvmConnector } from './connector.ts';
import { stopLocalVms } from './localVms.ts';
import { createVmStore } from './vmStore.ts';

/** Reads a range of a QCOW2 file through qemu-nbd. */
async function readImage(path: string, workDir: string, offset: number, length: number): Promise<Uint8Array> {
  const server = await serveNbd({
    blockdev: fileBlockdev(path, 'qcow2'),
    writable: false,
    connections: 1,
    workDir,
  });
  const { socketPath, exportName } = server;
  const client = await connectNbd({ socketPath, exportName });
  const bytes = new Uint8Array(length);
  await client.readInto(offset, bytes);
  await client.close();
  await server.close();
  return bytes;
}

describeConnector({
  name: 'local QEMU host',
  setup: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ascend-kvm-'));
    const [disks, state, workDir] = ['disks', 'state', 'work'].map((name) => join(folder, name));
    await Promise.all([mkdir(disks!), mkdir(workDir!)]);
    return {
      // No guest answers the power button here.
      connector: createKvmConnector({ graceMs: 500 }),
      connection: { storages: { disks }, state_dir: state },
      invalidConnections: [null, {}, { storages: { disks: 'relative' }, state_dir: '/x' }],
      deps: {
        logger: silentLogger,
        clock: systemClock,
        secrets: async () => new Secret(''),
        workDir: workDir!,
      },
      storage: 'disks',
      network: 'user',
      starts: true,
      readDisk: (ref, offset, length) =>
        readImage(join(disks!, `${ref.name}.qcow2`), workDir!, offset, length),
      putForeignVm: async (name) => {
        await createVmStore(state!).create({
          version: 1,
          name,
          ownedName: `somebody-${name}`,
          jobId: 'somebody',
          createdAt: '2026-11-21T00:00:00Z',
          cpuCount: 1,
          memoryBytes: 1,
          firmware: 'bios',
          disks: [],
          nics: [],
          notes: null,
          tags: {},
        });
      },
      countVms: async () => (await createVmStore(state!).names()).length,
      [Symbol.asyncDispose]: async () => {
        await stopLocalVms(state!, 0);
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
});
