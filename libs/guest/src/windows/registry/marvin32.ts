function rotate(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}

/** Marvin32 of `data` with a 64-bit seed: the checksum of entries in registry transaction logs (the seed is part of that format). */
export function marvin32(data: Buffer, seed: bigint): bigint {
  let low = Number(seed & 0xffffffffn);
  let high = Number(seed >> 32n);
  const block = (word: number): void => {
    low = (low + word) >>> 0;
    high = (high ^ low) >>> 0;
    low = (rotate(low, 20) + high) >>> 0;
    high = (rotate(high, 9) ^ low) >>> 0;
    low = (rotate(low, 27) + high) >>> 0;
    high = rotate(high, 19);
  };
  const whole = data.length - (data.length % 4);
  for (let at = 0; at < whole; at += 4) block(data.readUInt32LE(at));
  const tail = Buffer.alloc(4);
  data.copy(tail, 0, whole);
  tail.writeUInt8(0x80, data.length - whole);
  block(tail.readUInt32LE(0));
  block(0);
  return (BigInt(high) << 32n) | BigInt(low);
}
