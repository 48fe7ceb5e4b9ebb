import { createCipheriv, createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import { makeSparse } from './fileSystems.ts';
import { luksPassphrase, matrixUuids } from './matrixGuest.ts';

const mib = 1024 ** 2;
const sectorBytes = 4096;
/** Where cryptsetup puts the data of a LUKS2 container unless told otherwise. */
export const luksHeaderBytes = 16 * mib;

/** The volume key: constant, so that equal sources give equal disks. Worthless as a secret. */
const volumeKey = createHash('sha512').update('volume key of the matrix guest').digest();

/** Makes an empty LUKS2 container in a file, opened by passphrase (slot 0) and by key file (slot 1); no device is mapped. */
export async function formatLuks(params: {
  readonly path: string;
  readonly sizeBytes: number;
  readonly keyFilePath: string;
}): Promise<void> {
  const { path, sizeBytes, keyFilePath } = params;
  await makeSparse(path, sizeBytes);
  const keyPath = `${path}.volume-key`;
  const file = await open(keyPath, 'w', 0o600);
  await file.write(volumeKey);
  await file.close();
  // A weak PBKDF on purpose: the guest opens its disk under emulation.
  const derivation = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
  const cipher = ['--cipher', 'aes-xts-plain64', '--key-size', '512', '--sector-size', String(sectorBytes)];
  const format = ['luksFormat', '--type', 'luks2', '--uuid', matrixUuids.luks, '--volume-key-file', keyPath];
  await runProcess({
    program: 'cryptsetup',
    args: ['--batch-mode', ...format, ...cipher, ...derivation, path, '-'],
    input: luksPassphrase,
  });
  await runProcess({
    program: 'cryptsetup',
    args: ['--batch-mode', 'luksAddKey', ...derivation, '--key-file', '-', path, keyFilePath],
    input: luksPassphrase,
  });
}

function encryptSector(plain: Uint8Array, index: number): Buffer {
  const tweak = Buffer.alloc(16);
  // plain64 counts in units of 512 bytes, whatever the size of a sector.
  tweak.writeBigUInt64LE(BigInt(index * (sectorBytes / 512)));
  const cipher = createCipheriv('aes-256-xts', volumeKey, tweak);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** Encrypts an image into the data area of the container: what dm-crypt would have written. */
export async function fillLuks(containerPath: string, imagePath: string): Promise<void> {
  const source = await open(imagePath, 'r');
  const target = await open(containerPath, 'r+');
  try {
    const plain = Buffer.alloc(4 * mib);
    for (let offset = 0; ;) {
      const { bytesRead } = await source.read(plain, 0, plain.length, offset);
      if (bytesRead === 0) break;
      const sealed: Buffer[] = [];
      for (let at = 0; at < bytesRead; at += sectorBytes) {
        sealed.push(encryptSector(plain.subarray(at, at + sectorBytes), (offset + at) / sectorBytes));
      }
      await target.write(Buffer.concat(sealed), 0, bytesRead, luksHeaderBytes + offset);
      offset += bytesRead;
    }
  } finally {
    await source.close();
    await target.close();
  }
}
