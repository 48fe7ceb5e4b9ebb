import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmSpec } from '@ascend/domain';
import {
  apiPlanSchema,
  backupListSchema,
  backupSpecSchema,
  catalogAddAnswerSchema,
  catalogChangeSchema,
  chainSchema,
  restoreSchema,
  vmSpecSchema,
  type CatalogChange,
} from '@ascend/protocol';
import { runProcess } from '@ascend/runtime';
import { createDatabase, migrate, type Database } from '@ascend/store';
import { insertPgtest1, pgtest1 } from '@ascend/store/testing';
import type { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAscend, type AscendSystem } from '../system/ascendSystem.ts';
import { addMicroBackup, bootOf, digests, microPoints, untilState } from '../system/microRestore.ts';

const mib = 1024 ** 2;
const microFolder = 'ctx-micro1-20251006-203402';

let system: AscendSystem;
/** The system's own database. */
let ours: Database;
/** What the sidecar of the micro guest tells. */
let micro: VmSpec;
/** The database of a backup product on the same server, with the columns that such products have. */
let product: Database;

beforeAll(async () => {
  system = await startAscend();
  await addMicroBackup(system);
  const sidecar = join(system.repository, microFolder, 'micro1.vmspec.json');
  micro = vmSpecSchema.parse(JSON.parse(await readFile(sidecar, 'utf8')));
  const url = (await readFile(join(system.dir, 'database'), 'utf8')).trim();
  ours = createDatabase({ url, connectionLimit: 2 });
  product = await makeProduct(url);
});

afterAll(async () => {
  await ours?.close();
  await product?.close();
  await system?.stop();
});

/** Fills a second database and writes where the control plane finds it, with an account that may only read. */
async function makeProduct(url: string): Promise<Database> {
  const productUrl = url.replace(/\/[^/?]+\?/, '/product?');
  await ours.pool.query('CREATE DATABASE product CHARACTER SET utf8mb4');
  const made = createDatabase({ url: productUrl, connectionLimit: 2 });
  await migrate(made);
  await insertPgtest1(made);
  for (const statement of [
    'ALTER TABLE backup_jobs DROP COLUMN error_message, DROP COLUMN provenance',
    'ALTER TABLE backup_disks DROP COLUMN source_format, DROP COLUMN source_ref, DROP COLUMN file_size_bytes',
    'ALTER TABLE vm_backup_contexts DROP COLUMN source_platform, DROP COLUMN provenance',
    "CREATE USER reader@localhost IDENTIFIED BY 'read-only'",
    'GRANT SELECT ON product.* TO reader@localhost',
  ]) {
    await made.pool.query(statement);
  }
  await writeFile(productFile(), productUrl.replace('root@', 'reader:read-only@'), { mode: 0o600 });
  return made;
}

function productFile(): string {
  return join(system.dir, 'product-database');
}

async function scan(repository = 'vault'): Promise<CatalogChange> {
  return catalogChangeSchema.parse(await system.json(['catalog', 'scan', repository]));
}

async function sync(): Promise<CatalogChange> {
  const args = ['catalog', 'sync', `file:${productFile()}`, '--repository', 'repo-1=vault'];
  return catalogChangeSchema.parse(await system.json(args));
}

async function plan(backupId: string): Promise<z.infer<typeof apiPlanSchema>> {
  return apiPlanSchema.parse(
    await system.json(['restore', 'plan', '--backup', backupId, '--target', 'local', '--no-prepare']),
  );
}

async function specOf(backupId: string): Promise<{ provenance: string; memory: number }> {
  const { provenance, spec } = backupSpecSchema.parse(await system.json(['backups', 'spec', backupId]));
  return { provenance, memory: spec.memory_bytes };
}

/** What another product wrote about the micro guest. */
function vmx(memory: number): string {
  return `displayName = "micro1"\nnumvcpus = "1"\nmemSize = "${memory}"\nnew.key = "1"\n`;
}

async function backupIds(vm: string): Promise<string[]> {
  const { backups } = backupListSchema.parse(await system.json(['backups', 'list', '--vm', vm]));
  return backups.map((one) => one.backup_id).toSorted();
}

/** Every row of the catalogue; with `vm` only those of one VM. */
async function catalogue(vm = '%'): Promise<unknown> {
  const contexts = `SELECT context_id FROM vm_backup_contexts WHERE vm_name LIKE '${vm}'`;
  const jobs = `SELECT id FROM backup_jobs WHERE vm_name LIKE '${vm}'`;
  const statements = [
    `SELECT * FROM vm_backup_contexts WHERE context_id IN (${contexts}) ORDER BY 1`,
    `SELECT * FROM backup_jobs WHERE id IN (${jobs}) ORDER BY 1`,
    `SELECT * FROM backup_disks WHERE backup_job_id IN (${jobs}) ORDER BY 1`,
    `SELECT * FROM backup_chains WHERE vm_context_id IN (${contexts}) ORDER BY 1`,
    `SELECT * FROM backup_vm_specs WHERE backup_id IN (${jobs}) ORDER BY 1`,
  ];
  const rows: unknown[] = [];
  for (const statement of statements) rows.push((await ours.pool.query(statement))[0]);
  return rows;
}

async function backupRows(vm: string): Promise<unknown> {
  const [rows] = await ours.pool.query('SELECT * FROM backup_jobs WHERE vm_name = ? ORDER BY id', [vm]);
  return rows;
}

async function qemuImg(...args: readonly string[]): Promise<void> {
  await runProcess({ program: 'qemu-img', args });
}

describe('a scanned repository', () => {
  it('tells the VM by the specification beside its disks: the plan keeps MAC and address', async () => {
    const { nics, vm, findings } = await plan(microPoints.inc1);
    expect(nics).toMatchObject([
      { mac: micro.nics[0]?.mac, addresses: micro.nics[0]?.addresses, rule: 'keep-mac-and-address' },
    ]);
    expect(vm).toMatchObject({ cpu_count: 1, memory_bytes: 128 * mib });
    expect(findings.map((one) => one.code)).not.toContain('PLAN_NIC_MAC_UNKNOWN');
    for (const id of Object.values(microPoints)) expect((await specOf(id)).provenance).toBe('sidecar');
  });

  it('tells the same VM to a restore without control plane, which refuses a broken specification', async () => {
    const targetFile = join(system.dir, 'target.json');
    const connection = { storages: { disks: join(system.dir, 'disks') }, state_dir: system.targetState };
    await writeFile(targetFile, JSON.stringify({ platform: 'kvm', connection }));
    const where = ['--target', targetFile, '--work-dir', join(system.dir, 'local-work')];
    const what = ['local', 'restore', system.repository, '--dry-run', '--no-prepare', '--name', 'local-1'];
    const { nics } = await plan(microPoints.inc2);
    expect(apiPlanSchema.parse(await system.json([...what, ...where])).nics).toEqual(nics);
    const file = join(system.repository, microFolder, 'micro1.vmspec.json');
    const spec = await readFile(file, 'utf8');
    await writeFile(file, spec.slice(0, -9));
    const { stderr } = await system.cli(['--json', ...what, ...where], [2]);
    await writeFile(file, spec);
    expect(stderr).toContain('CATALOG_SPEC_INVALID');
    expect(stderr).toContain('micro1.vmspec.json');
  });

  it('is the same after a second scan', async () => {
    const before = await catalogue();
    expect(await scan()).toMatchObject({ backups: 3, disks: 6, removed: 0, skipped: [] });
    expect(await catalogue()).toEqual(before);
  });

  it('takes a later specification, but not over what an operator said, and none that is broken', async () => {
    const file = join(system.repository, microFolder, 'micro1.vmspec.json');
    const spec = await readFile(file, 'utf8');
    const withMemory = (bytes: number): string => spec.replace(String(128 * mib), String(bytes));
    const operatorFile = join(system.dir, 'operator.json');
    const told = await system.json(['backups', 'spec', microPoints.full]);
    const { spec: apiSpec } = backupSpecSchema.parse(told);
    await writeFile(operatorFile, JSON.stringify({ ...apiSpec, memory_bytes: 256 * mib }));
    await system.cli(['backups', 'spec', microPoints.full, '--set', operatorFile]);
    await writeFile(file, withMemory(192 * mib));
    await scan();
    expect(await specOf(microPoints.full)).toEqual({ provenance: 'operator', memory: 256 * mib });
    expect(await specOf(microPoints.inc1)).toEqual({ provenance: 'sidecar', memory: 192 * mib });
    await writeFile(file, withMemory(-1));
    expect((await scan()).skipped).toMatchObject([
      { path: `${microFolder}/micro1.vmspec.json`, code: 'CATALOG_SPEC_INVALID' },
    ]);
    expect(await specOf(microPoints.inc1)).toEqual({ provenance: 'sidecar', memory: 192 * mib });
    await writeFile(file, spec);
    await scan();
    expect((await specOf(microPoints.inc1)).memory).toBe(128 * mib);
  });

  it('takes what the former platform wrote, beside the disks with remarks, and given by the operator', async () => {
    const own = join(system.repository, microFolder, 'micro1.vmspec.json');
    const foreign = join(system.repository, microFolder, 'micro1.vmx');
    await rename(own, `${own}.off`);
    await writeFile(foreign, vmx(320));
    expect((await scan()).remarks).toMatchObject([
      { path: `${microFolder}/micro1.vmx`, code: 'SPEC_FIELDS_UNKNOWN' },
    ]);
    expect(await specOf(microPoints.inc1)).toEqual({ provenance: 'sidecar', memory: 320 * mib });
    await rename(foreign, join(system.dir, 'operator.vmx'));
    await rename(`${own}.off`, own);
    await scan();
    await writeFile(join(system.dir, 'operator.vmx'), vmx(384));
    await system.cli(['backups', 'spec', microPoints.inc1, '--set', join(system.dir, 'operator.vmx')]);
    expect(await specOf(microPoints.inc1)).toEqual({ provenance: 'operator', memory: 384 * mib });
  });
});

describe('single images', () => {
  it.each([
    ['vhd', ['-O', 'vpc', '-o', 'force_size=on']],
    ['vhdx', ['-O', 'vhdx']],
    ['vmdk', ['-O', 'vmdk']],
    ['raw', ['-O', 'raw']],
  ])('a %s file that is added becomes a restore point that holds exactly its bytes', async (kind, format) => {
    const folder = join(system.repository, 'images');
    await mkdir(folder, { recursive: true });
    const original = join(system.dir, 'original.raw');
    const data = Uint32Array.from({ length: mib / 2 }, (_each, index) => Math.imul(index + 1, 2_654_435_761));
    const bytes = Buffer.concat([Buffer.alloc(3 * mib), Buffer.from(data.buffer), Buffer.alloc(11 * mib)]);
    await writeFile(original, bytes);
    await qemuImg('convert', '-f', 'raw', ...format, original, join(folder, `disk.${kind}`));
    const add = ['catalog', 'add', `images/disk.${kind}`, '--repository', 'vault', '--vm', `vm-${kind}`];
    const { backup_id: id } = catalogAddAnswerSchema.parse(await system.json(add));
    expect(catalogAddAnswerSchema.parse(await system.json(add)).backup_id).toBe(id);
    const made = await plan(id);
    expect(made.findings.filter((one) => one.severity === 'blocked')).toEqual([]);
    expect(made.source.disks).toMatchObject([{ format: kind, virtual_size_bytes: 16 * mib }]);
    const start = ['restore', 'start', '--backup', id, '--target', 'local', '--name', `vm-${kind}`];
    const { id: restoreId } = restoreSchema.parse(
      await system.json([...start, '--no-prepare', '--no-power-on']),
    );
    await untilState(system, restoreId, ['completed'], 60);
    const disk = join(system.dir, 'disks', `ascend-${restoreId}-transfer-disk-0-disk.qcow2`);
    await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', original, disk);
  });
});

describe('a catalogue in another database', () => {
  it('is copied with a read-only account; what is gone there goes here, what a scan found stays', async () => {
    const scannedBefore = await catalogue('micro1');
    expect(await sync()).toMatchObject({ contexts: 1, backups: 4, disks: 8, removed: 0 });
    expect(await backupIds('pgtest1')).toEqual([pgtest1.fullId, ...pgtest1.incrementalIds]);
    const chain = chainSchema.parse(await system.json(['backups', 'chain', 'pgtest1']));
    expect(chain).toMatchObject({ total_backups: 4, total_size_bytes: 19_769_982_976 });
    const before = await catalogue();
    expect(await sync()).toMatchObject({ contexts: 0, backups: 0, disks: 0, removed: 0 });
    expect(await catalogue()).toEqual(before);
    const gone = pgtest1.incrementalIds[2] ?? '';
    await product.pool.query('DELETE FROM backup_jobs WHERE id = ?', [gone]);
    expect(await sync()).toMatchObject({ backups: 0, removed: 1 });
    expect(await backupIds('pgtest1')).not.toContain(gone);
    expect(await backupIds('pgtest1')).toHaveLength(3);
    expect(await catalogue('micro1')).toEqual(scannedBefore);
  });

  it('is not told a second time by a scan, which only adds the specification', async () => {
    const folder = join(system.repository, pgtest1.folder.split('/').at(-1) ?? '');
    for (const disk of [0, 1]) {
      await mkdir(join(folder, `disk-${disk}`), { recursive: true });
      const name = `backup-pgtest1-disk${disk}-20251008-192431.qcow2`;
      await qemuImg('create', '-q', '-f', 'qcow2', join(folder, `disk-${disk}`, name), '8M');
    }
    const spec = { ...micro, name: 'pgtest1', memoryBytes: 512 * mib };
    await writeFile(join(folder, 'pgtest1.vmspec.json'), JSON.stringify(spec));
    const ids = await backupIds('pgtest1');
    const before = await backupRows('pgtest1');
    await scan();
    expect(await backupRows('pgtest1')).toEqual(before);
    expect(await backupIds('pgtest1')).toEqual(ids);
    expect(await specOf(pgtest1.fullId)).toEqual({ provenance: 'sidecar', memory: 512 * mib });
  });

  it('names its files under another mount point, and the plan finds them in the repository', async () => {
    const made = await plan(pgtest1.fullId);
    expect(made.findings.filter((one) => one.severity === 'blocked')).toEqual([]);
    expect(made.source.disks.map((disk) => disk.rel_path)).toEqual(
      [0, 1].map(
        (disk) => `ctx-pgtest1-20251006-203401/disk-${disk}/backup-pgtest1-disk${disk}-20251008-192431.qcow2`,
      ),
    );
    expect(made.nics).toMatchObject([{ mac: micro.nics[0]?.mac, rule: 'keep-mac-and-address' }]);
  });
});

describe('a chain that was moved to another folder', () => {
  it('is a repository of its own and restores all the same, from files that nobody changed', async () => {
    const folder = join(system.repository, 'elsewhere', 'volume-7');
    await mkdir(folder, { recursive: true });
    await rename(join(system.repository, microFolder), join(folder, microFolder));
    const before = await digests(folder);
    await system.cli(['repository', 'add', 'moved', '--site', 'here', '--root', `edge=${folder}`]);
    expect(await scan('moved')).toMatchObject({ contexts: 1, backups: 3, disks: 6, skipped: [] });
    const ids = (await backupIds('micro1')).filter((id) => id.startsWith(`${microPoints.inc1}-`));
    expect(ids).toHaveLength(1);
    const args = ['restore', 'start', '--backup', ids[0] ?? '', '--target', 'local', '--name', 'from-moved'];
    const proof = ['--evidence', 'serial-marker', '--marker', 'ASCEND-READY', '--boot-timeout', '240'];
    const restore = restoreSchema.parse(await system.json([...args, '--no-prepare', ...proof]));
    await untilState(system, restore.id, ['completed']);
    const boot = await bootOf(system, restore.id);
    expect(boot.serialTail).toContain('ASCEND-READY root=inc1 data=inc1 addr=10.0.2.78/24');
    expect(boot.addresses.join(' ')).toContain('10.0.2.78');
    expect(await digests(folder)).toEqual(before);
  });
});
