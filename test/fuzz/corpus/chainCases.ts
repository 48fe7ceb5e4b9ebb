import { copyFile, mkdir, rename, symlink, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { place, type BrokenImage, type Template } from './brokenImage.ts';
import { vmdkDescriptor } from './otherFormats.ts';
import { diskBytes, type Templates } from './templates.ts';

const nameAt = 1024;

/** A QCOW2 that names a backing file; the name is written as bytes, so that it can hold anything. */
function withBacking(template: Template, name: Uint8Array): Buffer {
  const bytes = Buffer.from(template.bytes);
  bytes.writeBigUInt64BE(BigInt(nameAt), 8);
  bytes.writeUInt32BE(name.length, 16);
  bytes.set(name, nameAt);
  return bytes;
}

/** A Unix socket in the file system; the name stays when its server is gone. */
async function makeSocket(file: string): Promise<void> {
  const server = createServer();
  const first = `${file}.0`;
  await new Promise<void>((resolve) => {
    server.listen(first, resolve);
  });
  await rename(first, file);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}

type MakeFile = (file: string) => Promise<unknown>;

const isRoot = process.getuid?.() === 0;

/** Things that are no files, by what they are. */
const otherKinds: readonly (readonly [name: string, make: MakeFile])[] = [
  ['a folder', (file) => mkdir(file)],
  ['a pipe', (file) => runProcess({ program: 'mkfifo', args: [file] })],
  ['a socket', makeSocket],
  ['a link to nothing', (file) => symlink('/nowhere/at/all', file)],
  ['a link to itself', (file) => symlink(path.basename(file), file)],
  ['a link out of the repository', (file) => symlink('/etc/hostname', file)],
  ['a link to a device', (file) => symlink('/dev/zero', file)],
  ...(isRoot
    ? ([
        ['a device', (file: string) => runProcess({ program: 'mknod', args: [file, 'c', '1', '5'] })],
      ] as const)
    : []),
];

const backingNames: readonly (readonly [what: string, name: string | Uint8Array, code: string])[] = [
  ['an absolute name outside', '/etc/hostname', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['a device', '/dev/zero', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['a name above the folder', '../secret.bin', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['a name far above the folder', '../../../../../../etc/passwd', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['an NBD address', 'nbd:unix:/tmp/nothing', 'DISK_BACKING_PROTOCOL'],
  ['an NBD URL', 'nbd://localhost:1/disk', 'DISK_BACKING_PROTOCOL'],
  ['an HTTP URL', 'http://localhost:1/disk', 'DISK_BACKING_PROTOCOL'],
  ['a JSON description', 'json:{"driver":"file","filename":"/etc/hostname"}', 'DISK_BACKING_PROTOCOL'],
  ['a file URL', 'file:///etc/hostname', 'DISK_BACKING_PROTOCOL'],
  ['a fat folder', 'fat:/etc', 'DISK_BACKING_PROTOCOL'],
  ['its own name', 'disk.qcow2', 'DISK_CHAIN_LOOP'],
  ['its own name by a detour', './nothing/../disk.qcow2', 'DISK_CHAIN_LOOP'],
  ['the folder', '.', 'DISK_BACKING_MISSING'],
  ['the folder above', '..', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['the root of the system', '/', 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['a folder of the repository', 'sub/', 'DISK_FILE_NOT_REGULAR'],
  ['1023 letters', 'a'.repeat(1023), 'DISK_BACKING_MISSING'],
  ['1023 bytes of folders', `${'a/'.repeat(511)}b`, 'DISK_BACKING_MISSING'],
  ['1023 dots', '../'.repeat(341), 'DISK_PATH_OUTSIDE_REPOSITORY'],
  ['bytes that are no UTF-8', Buffer.from([0x62, 0xff, 0xfe, 0x80]), 'DISK_BACKING_MISSING'],
  ['a newline', 'base\nerror: all is well.qcow2', 'DISK_BACKING_PROTOCOL'],
  ['control characters', '\u001b[2J\u001b]0;owned\u0007\u009b31m.qcow2', 'DISK_BACKING_MISSING'],
  ['a text direction mark', 'base\u202e2wocq.qcow2', 'DISK_BACKING_MISSING'],
  ['a zero byte', 'base\0.qcow2', 'DISK_HEADER_INVALID'],
  ['nothing there', 'gone.qcow2', 'DISK_BACKING_MISSING'],
];

const hostileName = 'bad\u001b[2J\u009b31m\nerror: fine\u007f.qcow2';

function alone(name: string, file: string, make: MakeFile): BrokenImage {
  return {
    name: `${name} as ${file}`,
    make: async (folder) => {
      await make(path.join(folder, file));
      return path.join(folder, file);
    },
  };
}

function kindCases(templates: Templates): readonly BrokenImage[] {
  return otherKinds.flatMap(([name, make]) => [
    alone(name, 'disk.qcow2', make),
    alone(name, 'disk.raw', make),
    {
      name: `a QCOW2 that stands on ${name}`,
      make: async (folder) => {
        await make(path.join(folder, 'base.qcow2'));
        return await place(folder, 'disk.qcow2', withBacking(templates.qcow2, Buffer.from('base.qcow2')));
      },
    },
    {
      name: `a VMDK descriptor whose extent is ${name}`,
      make: async (folder) => {
        await make(path.join(folder, 'flat.bin'));
        return await place(folder, 'disk.vmdk', vmdkDescriptor(`RW ${diskBytes / 512} FLAT "flat.bin" 0`));
      },
    },
  ]);
}

function loopCases(templates: Templates): readonly BrokenImage[] {
  return [2, 3].map((files) => ({
    name: `a loop of ${files} files`,
    code: 'DISK_CHAIN_LOOP',
    make: async (folder) => {
      for (let index = 0; index < files; index += 1) {
        const next = Buffer.from(`f${(index + 1) % files}.qcow2`);
        await place(folder, `f${index}.qcow2`, withBacking(templates.qcow2, next));
      }
      return path.join(folder, 'f0.qcow2');
    },
  }));
}

/** A file whose text the readers of a nested descriptor would follow out of the repository. */
function nestedDescriptor(folder: string): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  // Little-endian "VMDK".
  bytes.writeUInt32BE(0x4b_44_4d_56, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(3, 8);
  // No capacity: the block layer takes the descriptor inside instead.
  bytes.writeBigUInt64LE(0n, 12);
  bytes.writeBigUInt64LE(128n, 20);
  bytes.writeBigUInt64LE(1n, 28);
  bytes.writeBigUInt64LE(20n, 36);
  bytes.writeUInt32LE(512, 44);
  const outside = path.join(path.dirname(folder), 'secret.bin');
  bytes.write(vmdkDescriptor(`RW ${diskBytes / 512} FLAT "${outside}" 0`), 512, 'latin1');
  return bytes;
}

function trapCases(templates: Templates): readonly BrokenImage[] {
  return [
    {
      name: 'a VMDK whose sparse extent holds a descriptor that leads outside',
      code: 'DISK_HEADER_INVALID',
      make: async (folder) => {
        await place(path.dirname(folder), 'secret.bin', Buffer.alloc(diskBytes, 0x53));
        await place(folder, 'extent.vmdk', nestedDescriptor(folder));
        return await place(folder, 'disk.vmdk', vmdkDescriptor(`RW ${diskBytes / 512} SPARSE "extent.vmdk"`));
      },
    },
    {
      name: 'a VMDK that holds a descriptor that leads outside',
      code: 'DISK_PATH_OUTSIDE_REPOSITORY',
      make: async (folder) => {
        await place(path.dirname(folder), 'secret.bin', Buffer.alloc(diskBytes, 0x53));
        return await place(folder, 'disk.vmdk', nestedDescriptor(folder));
      },
    },
    {
      name: 'a raw disk whose guest wrote a QCOW2 header onto it',
      code: 'DISK_FORMAT_MISMATCH',
      make: async (folder) =>
        await place(folder, 'disk.raw', withBacking(templates.qcow2, Buffer.from('/etc/hostname'))),
    },
    {
      name: 'a raw disk in a QCOW2 name',
      code: 'DISK_FORMAT_MISMATCH',
      make: async (folder) => await place(folder, 'disk.qcow2', templates.raw.bytes),
    },
    {
      name: 'a damaged QCOW2 in a name of control characters',
      make: async (folder) => await place(folder, hostileName, templates.qcow2.bytes.subarray(0, 5000)),
    },
    {
      name: 'a whole QCOW2 in a name of control characters',
      make: async (folder) => await place(folder, hostileName, templates.qcow2.bytes),
    },
    {
      name: 'a QCOW2 of 32 MiB of empty L1 entries',
      make: async (folder) => {
        const bytes = Buffer.from(templates.qcow2.bytes);
        // Clusters of 4 KiB, so a table of 4 Mi entries maps 8 TiB.
        bytes.writeUInt32BE(4 * 1024 * 1024, 36);
        bytes.writeBigUInt64BE(BigInt(bytes.length), 40);
        bytes.writeBigUInt64BE(8n * 1024n ** 4n, 24);
        const file = await place(folder, 'disk.qcow2', bytes);
        await truncate(file, bytes.length + 32 * 1024 * 1024);
        return file;
      },
    },
    {
      name: 'a small QCOW2 of 8 PiB',
      code: 'DISK_FORMAT_UNSUPPORTED',
      make: async (folder) => {
        const bytes = Buffer.alloc(8 * 1024 * 1024);
        const large = templates.extendedL2.bytes;
        large.copy(bytes, 0, 0, 512);
        bytes.writeBigUInt64BE(0n, 72);
        bytes.writeUInt32BE(21, 20);
        bytes.writeBigUInt64BE(2n ** 53n - 512n, 24);
        bytes.writeUInt32BE(2 ** 14, 36);
        bytes.writeBigUInt64BE(2n ** 21n, 40);
        bytes.writeBigUInt64BE(2n ** 22n, 48);
        bytes.writeUInt32BE(1, 56);
        return await place(folder, 'disk.qcow2', bytes);
      },
    },
    {
      name: 'a small VMDK of 4 PiB',
      code: 'DISK_FORMAT_UNSUPPORTED',
      make: async (folder) => {
        const bytes = Buffer.from(templates.vmdk.bytes);
        const capacity = 2n ** 43n;
        bytes.writeBigUInt64LE(capacity, 12);
        bytes.writeBigUInt64LE(2n ** 21n, 20);
        const size = bytes.length - (bytes.length % 512);
        bytes.writeBigUInt64LE(BigInt(size / 512), 56);
        bytes.writeBigUInt64LE(BigInt(size / 512), 48);
        const file = await place(folder, 'disk.vmdk', bytes);
        await truncate(file, size + 1024 * 1024);
        return file;
      },
    },
    {
      name: 'a raw disk of 8 TiB that is one hole',
      make: async (folder) => {
        const file = await place(folder, 'disk.raw', '');
        await truncate(file, 8 * 1024 ** 4);
        return file;
      },
    },
  ];
}

/** Chains, names and things of the file system that do harm, by what they are. */
export function chainCases(templates: Templates): ReadonlyMap<string, readonly BrokenImage[]> {
  const named = backingNames.map(([what, name, code]): BrokenImage => ({
    name: `a backing name that is ${what}`,
    code,
    make: async (folder) => {
      await place(path.dirname(folder), 'secret.bin', 'secret');
      await mkdir(path.join(folder, 'sub'));
      const bytes = typeof name === 'string' ? Buffer.from(name) : name;
      return await place(folder, 'disk.qcow2', withBacking(templates.qcow2, bytes));
    },
  }));
  const twice: BrokenImage = {
    name: 'a QCOW2 that stands on another name of itself',
    code: 'DISK_CHAIN_LOOP',
    make: async (folder) => {
      const top = await place(folder, 'disk.qcow2', withBacking(templates.qcow2, Buffer.from('other.qcow2')));
      await symlink('disk.qcow2', path.join(folder, 'other.qcow2'));
      return top;
    },
  };
  const deep: BrokenImage = {
    name: 'a chain of 250 files',
    code: 'DISK_CHAIN_TOO_LONG',
    make: async (folder) => {
      for (let index = 0; index < 250; index += 1)
        await place(
          folder,
          `f${index}.qcow2`,
          withBacking(templates.qcow2, Buffer.from(`f${index + 1}.qcow2`)),
        );
      await copyFile(path.join(folder, 'f0.qcow2'), path.join(folder, 'f250.qcow2'));
      return path.join(folder, 'f0.qcow2');
    },
  };
  return new Map([
    ['backing names', named],
    ['loops', [...loopCases(templates), twice, deep]],
    ['what is no file', kindCases(templates)],
    ['traps', trapCases(templates)],
  ]);
}
