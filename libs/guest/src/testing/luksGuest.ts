import { createCipheriv, createHash } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { guestOnDisks, type ContainerGuest } from './containerGuest.ts';
import { buildLayoutGuest } from './layoutGuest.ts';

/** UUID of the container of `buildLuksGuest`. */
export const luksGuestUuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0a11';
/** What opens it. */
export const luksGuestPassphrase = 'correct horse battery staple';

const mib = 1024 * 1024;
const rootMib = 32;
const headerBytes = 16 * mib;
const sectorBytes = 512;
const volumeKey = createHash('sha512').update('volume key of a tiny guest').digest();

/** What dm-crypt would have written: aes-xts-plain64, sector by sector. */
function encrypt(plain: Buffer): Buffer {
  const sealed: Buffer[] = [];
  for (let at = 0; at < plain.length; at += sectorBytes) {
    const tweak = Buffer.alloc(16);
    tweak.writeBigUInt64LE(BigInt(at / sectorBytes));
    const cipher = createCipheriv('aes-256-xts', volumeKey, tweak);
    sealed.push(cipher.update(plain.subarray(at, at + sectorBytes)), cipher.final());
  }
  return Buffer.concat(sealed);
}

/** A container with a cheap key derivation, so that emulation opens it in seconds. No device is mapped. */
async function makeContainer(folder: string, plain: Buffer): Promise<Buffer> {
  const [path, keyPath] = [join(folder, 'luks.img'), join(folder, 'volume.key')];
  await writeFile(path, Buffer.alloc(headerBytes + plain.length));
  await writeFile(keyPath, volumeKey, { mode: 0o600 });
  const cipher = ['--cipher', 'aes-xts-plain64', '--key-size', '512', '--sector-size', String(sectorBytes)];
  const derivation = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  const format = ['luksFormat', '--type', 'luks2', '--uuid', luksGuestUuid, '--volume-key-file', keyPath];
  await runProcess({
    program: 'cryptsetup',
    args: ['--batch-mode', ...format, ...cipher, ...derivation, path, '-'],
    input: luksGuestPassphrase,
  });
  const container = await readFile(path);
  encrypt(plain).copy(container, headerBytes);
  return container;
}

/**
 * Builds a tiny guest with `/boot` on its first disk and an encrypted ext4 root on its second, which crypttab names by the order of
 * discovery.
 */
export async function buildLuksGuest(): Promise<ContainerGuest> {
  const ext4 = { fileSystem: 'ext4', sizeMib: rootMib } as const;
  const layout = await buildLayoutGuest(
    [
      { ...ext4, mountPoint: '/boot', disk: 0 },
      { ...ext4, mountPoint: '/', disk: 1, device: '/dev/mapper/cryptroot' },
    ],
    { files: { 'etc/crypttab': '# name device key options\ncryptroot /dev/sdb1 none luks,discard\n' } },
  );
  const [boot = '', plain = ''] = layout.diskPaths;
  const root = (await readFile(plain)).subarray(mib, (1 + rootMib) * mib);
  const container = await makeContainer(layout.folder, root);
  const locked = join(layout.folder, 'locked.raw');
  const file = await open(locked, 'w');
  await file.truncate(mib + container.length + mib);
  await file.write(container, 0, container.length, mib);
  await file.close();
  await runProcess({
    program: 'sfdisk',
    args: ['--quiet', locked],
    input: `label: dos\nstart=2048, size=${container.length / 512}, type=83\n`,
  });
  const names = [boot.slice(layout.folder.length + 1), 'locked.raw'];
  return await guestOnDisks(layout.folder, names, async () => await layout[Symbol.asyncDispose]());
}
