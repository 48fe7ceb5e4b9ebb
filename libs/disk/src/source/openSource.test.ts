import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SourceFormat } from '@ascend/domain';
import { openChain } from '../chain/chain.ts';
import { compareEngines } from '../testing/compareEngines.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';

const sectors = 6 * 2048; // 6 MiB
const same = {
  differsAtBytes: null,
  dataOnlyDirectAtBytes: null,
  zeroOnlyDirectAtBytes: null,
  disorder: null,
};

/** One command of qemu-io; offsets and lengths in sectors. */
type Change = readonly [
  command: 'write' | 'zero' | 'zero and unmap' | 'discard',
  at: number,
  length: number,
  fill: number,
];

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.constantFrom('write', 'write', 'zero', 'zero and unmap', 'discard'),
  fc.nat(sectors - 1),
  fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 })),
  fc.nat(255),
);

const clusterOptions = fc.constantFrom(
  'cluster_size=64k',
  'cluster_size=512',
  'cluster_size=4k',
  'cluster_size=2M',
  'cluster_size=64k,extended_l2=on',
  'cluster_size=16k,extended_l2=on',
  'cluster_size=64k,compression_type=zstd',
);

const overlay = fc.record({
  changes: fc.array(change, { maxLength: 8 }),
  sectors: fc.integer({ min: 1, max: sectors }),
  options: clusterOptions,
});

const bottom = fc.record({
  kind: fc.constantFrom('qcow2', 'qcow2 version 2', 'compressed', 'raw', 'vpc', 'vhdx', 'vmdk'),
  changes: fc.array(change, { maxLength: 8 }),
  sectors: fc.integer({ min: 1, max: sectors }),
  options: clusterOptions,
});

async function apply(file: string, format: string, sizeSectors: number, changes: readonly Change[]) {
  const commands = changes
    .filter(([, at]) => at < sizeSectors)
    .flatMap(([command, at, length, fill]) => {
      const range = `${at * 512} ${Math.min(length, sizeSectors - at) * 512}`;
      if (command === 'write') return ['-c', `write -P ${fill} ${range}`];
      return [
        '-c',
        command === 'discard' ? `discard ${range}` : `write -z ${command === 'zero' ? '' : '-u '}${range}`,
      ];
    });
  if (commands.length === 0) return;
  await runProcess({ program: 'qemu-io', args: ['-d', 'unmap', '-f', format, ...commands, file] });
}

interface Bottom {
  readonly kind: string;
  readonly changes: readonly Change[];
  readonly sectors: number;
  readonly options: string;
}

const formats: Readonly<Record<string, SourceFormat>> = {
  vpc: 'vhd',
  raw: 'raw',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
};

async function makeBottom(folder: string, layer: Bottom): Promise<{ file: string; driver: string }> {
  const file = path.join(folder, 'bottom.img');
  const sizeBytes = layer.sectors * 512;
  const driver = layer.kind.split(' ')[0] ?? '';
  if (driver === 'qcow2') {
    const options = layer.kind === 'qcow2' ? layer.options : 'compat=0.10,cluster_size=4k';
    await makeImage({ path: file, format: 'qcow2', sizeBytes, options });
    await apply(file, 'qcow2', layer.sectors, layer.changes);
    return { file, driver: 'qcow2' };
  }
  if (driver === 'compressed') {
    const plain = path.join(folder, 'plain.qcow2');
    await makeImage({ path: plain, format: 'qcow2', sizeBytes });
    await apply(plain, 'qcow2', layer.sectors, layer.changes);
    await qemuImg('convert', '-c', '-O', 'qcow2', '-o', layer.options, plain, file);
    // Plain clusters over compressed ones.
    await apply(file, 'qcow2', layer.sectors, layer.changes.slice(0, 2));
    return { file, driver: 'qcow2' };
  }
  const options = driver === 'vpc' ? { options: 'force_size=on' } : {};
  await makeImage({ path: file, format: driver, sizeBytes, ...options });
  const plain = layer.changes.filter(([command]) => command === 'write');
  await apply(file, driver, layer.sectors, driver === 'raw' ? layer.changes : plain);
  return { file, driver };
}

const range = fc.tuple(fc.nat(sectors * 512), fc.integer({ min: 1, max: 300_000 }));

test('any chain reads the same directly as through the block server, and has the same map', async () => {
  await fc.assert(
    fc.asyncProperty(
      bottom,
      fc.array(overlay, { maxLength: 3 }),
      fc.array(range, { maxLength: 4 }),
      async (base, overlays, ranges) => {
        await withTempFolder(async (folder) => {
          let { file, driver } = await makeBottom(folder, base);
          for (const [index, layer] of overlays.entries()) {
            const next = path.join(folder, `l${index}.qcow2`);
            const backing = ['-b', file, '-F', driver];
            await qemuImg(
              'create',
              '-q',
              '-f',
              'qcow2',
              '-o',
              layer.options,
              ...backing,
              next,
              String(layer.sectors * 512),
            );
            await apply(next, 'qcow2', layer.sectors, layer.changes);
            [file, driver] = [next, 'qcow2'];
          }
          const chain = await openChain({ rootPath: folder, path: file, format: formats[driver] ?? 'qcow2' });
          const found = await compareEngines({ chain, overlays: [] }, folder, ranges);
          // The block server tells no holes of VHDX: those are ours alone, and the bytes prove them.
          const holes = base.kind === 'vhdx' ? { zeroOnlyDirectAtBytes: found.zeroOnlyDirectAtBytes } : {};
          expect(found).toEqual({ ...same, ...holes });
        });
      },
    ),
    { numRuns: 20 },
  );
});
