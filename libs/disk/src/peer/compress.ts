import { promisify } from 'node:util';
import zlib from 'node:zlib';

const sampleBytes = 4096;
// Below this the bytes saved are worth less than the time of both ends.
const worthwhileRatio = 0.85;
const options = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } };
const compress = promisify(zlib.zstdCompress);
const decompress = promisify(zlib.zstdDecompress);

/** Do three samples of 4 KiB shrink enough? Costs about 1 % of compressing 1 MiB. */
export function zstdPays(block: Buffer): boolean {
  if (block.length <= 3 * sampleBytes)
    return zlib.zstdCompressSync(block, options).length < block.length * worthwhileRatio;
  const middle = (block.length - sampleBytes) >> 1;
  const sample = Buffer.concat([
    block.subarray(0, sampleBytes),
    block.subarray(middle, middle + sampleBytes),
    block.subarray(block.length - sampleBytes),
  ]);
  return zlib.zstdCompressSync(sample, options).length < sample.length * worthwhileRatio;
}

/** Compresses a block off the main thread; null when it does not get smaller. */
export async function compressBlock(block: Buffer): Promise<Buffer | null> {
  if (!zstdPays(block)) return null;
  const packed = await compress(block, options);
  return packed.length < block.length ? packed : null;
}

/** Unpacks to exactly `lengthBytes`, never making more. @throws {Error} when it is damaged or of another length */
export async function decompressBlock(packed: Buffer, lengthBytes: number): Promise<Buffer> {
  const plain = await decompress(packed, { maxOutputLength: lengthBytes });
  if (plain.length !== lengthBytes) throw new Error(`${plain.length} bytes instead of ${lengthBytes}`);
  return plain;
}
