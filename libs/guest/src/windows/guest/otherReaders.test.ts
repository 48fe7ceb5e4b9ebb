import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageBlockdev } from '@ascend/disk';
import type { GuestNeeds } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { applyEdits } from '../../apply/applyEdits.ts';
import type { GuestEdit } from '../../edits/guestEdit.ts';
import { planEdits } from '../../edits/planEdits.ts';
import { probeGuest } from '../../probe/probeGuest.ts';
import {
  buildPhonyDisk,
  phonyMac,
  phonyNeeds,
  phonyPlannedNic,
  phonyVersions,
  phonyWindows,
  writePhonyDrivers,
  type PhonyDisk,
  type PhonyName,
} from '../../testing/phonyWindows/index.ts';
import { readDriverFolder } from '../drivers/driverFolder.ts';
import type { RegistryEdit } from '../registry/registryEdit.ts';

const needs: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  windows: phonyNeeds,
};
const names = Object.keys(phonyVersions).filter((name): name is PhonyName => name in phonyVersions);

/** Types of values as hivexregedit writes them (winnt.h). */
const typeNumbers: Readonly<Record<string, number>> = {
  REG_SZ: 1,
  REG_EXPAND_SZ: 2,
  REG_BINARY: 3,
  REG_DWORD: 4,
  REG_MULTI_SZ: 7,
};

function utf16(...texts: readonly string[]): string {
  const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(''), 'utf16le');
  return bytes.toString('hex');
}

/** The data of a value in hexadecimal digits, worked out from the registry's own format. */
function hexOf({ type, data }: Extract<RegistryEdit, { kind: 'set-registry-value' }>['value']): string {
  if (type === 'REG_DWORD') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(data);
    return bytes.toString('hex');
  }
  if (type === 'REG_MULTI_SZ') return utf16(...data, '');
  return type === 'REG_SZ' || type === 'REG_EXPAND_SZ'
    ? utf16(data)
    : Buffer.from(data, 'hex').toString('hex');
}

type ReadHive = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A whole hive as hivexregedit exports it: key → value name → `type:hex`. */
async function exportHive(path: string): Promise<ReadHive> {
  const { stdout } = await runProcess({ program: 'hivexregedit', args: ['--export', path, '\\'] });
  const keys = new Map<string, Map<string, string>>();
  let values = new Map<string, string>();
  for (const line of stdout.replaceAll(/,\\\r?\n\s*/g, ',').split(/\r?\n/)) {
    const key = /^\[\\(.*)\]$/.exec(line)?.[1];
    if (key !== undefined) {
      values = new Map();
      keys.set(key.toUpperCase(), values);
    }
    const [, name, kind = '', data = ''] =
      /^(@|"(?:[^"\\]|\\.)*")=(dword|hex\(\w+\)|hex):(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const own = name === '@' ? '' : name.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    const dword = (data.padStart(8, '0').match(/../g) ?? []).toReversed().join('');
    const type = kind === 'dword' ? 4 : Number.parseInt(/\((\w+)\)/.exec(kind)?.[1] ?? '3', 16);
    values.set(own.toUpperCase(), `${type}:${kind === 'dword' ? dword : data.replaceAll(',', '')}`);
  }
  return keys;
}

interface OtherReaders {
  readonly hives: ReadonlyMap<string, ReadHive>;
  file(path: string): Promise<Buffer>;
  efiFile(path: string): Promise<Buffer>;
}

/** The edited disk as qemu-img, ntfscat, hivexregedit and mtools show it: nothing of this project's readers. */
async function readByOthers(disk: PhonyDisk, image: PhonyDisk['image']): Promise<OtherReaders> {
  const [flat, volume] = [join(disk.folder, 'flat.raw'), join(disk.folder, 'volume.raw')];
  const source = `json:${JSON.stringify(imageBlockdev(image, { readOnly: true }))}`;
  await runProcess({ program: 'qemu-img', args: ['convert', '-O', 'raw', source, flat] });
  const cut = ['bs=1M', `skip=${disk.volumeOffset / 1048576}`, 'count=32', 'status=none'];
  await runProcess({ program: 'dd', args: [`if=${flat}`, `of=${volume}`, ...cut] });
  const out = join(disk.folder, 'taken');
  const file = async (path: string): Promise<Buffer> => {
    const read = 'ntfscat "$1" "$2" > "$3"';
    await runProcess({ program: 'sh', args: ['-c', read, 'sh', volume, `/${path}`, out] });
    return await readFile(out);
  };
  const hives = new Map<string, ReadHive>();
  for (const name of ['SYSTEM', 'SOFTWARE', 'DRIVERS']) {
    const bytes = await file(`Windows/System32/config/${name}`).catch(() => null);
    if (bytes !== null && bytes.length > 0) hives.set(name, await exportHive(out));
  }
  return {
    hives,
    file,
    efiFile: async (path) => {
      await runProcess({ program: 'mcopy', args: ['-n', '-o', '-i', `${flat}@@1M`, `::/${path}`, out] });
      return await readFile(out);
    },
  };
}

/** What other readers see instead of an edit; null = the edit holds. The last edit of a place counts. */
async function problemOf(edit: GuestEdit, seen: OtherReaders): Promise<string | null> {
  if (edit.kind === 'set-registry-value') {
    const found = seen.hives.get(edit.hive)?.get(edit.key.toUpperCase())?.get(edit.name.toUpperCase());
    const wanted = `${typeNumbers[edit.value.type]}:${hexOf(edit.value)}`;
    return found === wanted
      ? null
      : `${edit.hive}\\${edit.key} ${edit.name}: ${found ?? 'not there'}, not ${wanted}`;
  }
  if (edit.kind === 'delete-registry-key') {
    const isThere = seen.hives.get(edit.hive)?.has(edit.key.toUpperCase()) === true;
    return isThere ? `${edit.hive}\\${edit.key} is there` : null;
  }
  if (edit.kind === 'write-file' || edit.kind === 'stage-file') {
    const wanted = edit.kind === 'write-file' ? Buffer.from(edit.content) : await readFile(edit.source);
    return (await seen.file(edit.path)).equals(wanted) ? null : `${edit.path} has other bytes`;
  }
  if (edit.kind !== 'copy-efi-file') return `nobody reads ${edit.kind}`;
  return (await seen.efiFile(edit.to)).equals(await seen.efiFile(edit.from))
    ? null
    : `${edit.to} has other bytes`;
}

test.each(names)(
  '%s: every edit is found by qemu-img, ntfscat, hivexregedit and mtools',
  async (name) => {
    const uefi = name === '2k25' || name === '2k12R2';
    await using disk = await buildPhonyDisk(phonyWindows(name), { uefi });
    const guest = await probeGuest({ ...disk.context, images: [{ diskIndex: 0, image: disk.image }] });
    const folder = join(disk.folder, 'drivers');
    await writePhonyDrivers(folder);
    const msi = join(folder, 'viostor/2k19/amd64/viostor.sys');
    const packages = { folder, files: [{ path: msi, relPath: 'qemu-ga-x86_64.msi', sizeBytes: 12 }] };
    const drivers = await readDriverFolder(folder);
    const windows = { drivers, acceptDirtyFileSystem: false };
    const { edits } = planEdits({ guest, needs, nics: [phonyPlannedNic(phonyMac)], packages, windows });
    const image = await disk.withOverlay();
    const work = { ...disk.context, images: [{ diskIndex: 0, image }], guest, edits, needs };
    await applyEdits({ ...work, report: () => undefined });
    const seen = await readByOthers(disk, image);
    const problems: string[] = [];
    for (const edit of edits) {
      const problem = await problemOf(edit, seen);
      if (problem !== null) problems.push(problem);
    }
    expect(problems).toEqual([]);
    // An edit that was not made is seen as such.
    const others = edits.flatMap((edit) =>
      'value' in edit ? [{ ...edit, name: `${edit.name}-never` }] : [],
    );
    expect(
      await problemOf(others[0] ?? { kind: 'make-link', path: '', target: '', reason: '' }, seen),
    ).toContain('not there');
    expect(new Set(edits.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(uefi ? 4 : 3);
    expect(edits.length).toBeGreaterThan(40);
  },
  180_000,
);
