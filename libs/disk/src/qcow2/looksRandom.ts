const samples = 16;
const sampleBytes = 128;
// A sum over 256 values of random bytes is 255 ± 23: text, code and tables lie in the thousands, counters near 0, repeated blocks above 500.
const lowest = 170;
const highest = 340;

const counts = new Uint16Array(256);

/**
 * A guess from 2 KiB out of the data (chi-square of its byte values): true for what is encrypted, or compressed well, already. It costs a hundredth of
 * trying to compress; a wrong guess costs space only.
 */
export function looksRandom(data: Uint8Array): boolean {
  const step = Math.floor(data.length / samples);
  if (step < sampleBytes) return false;
  counts.fill(0);
  for (let sample = 0; sample < samples; sample += 1) {
    const from = sample * step;
    for (let at = from; at < from + sampleBytes; at += 1) {
      const value = data[at] ?? 0;
      counts[value] = (counts[value] ?? 0) + 1;
    }
  }
  let squares = 0;
  for (const count of counts) squares += count * count;
  const total = samples * sampleBytes;
  const deviation = (squares * counts.length) / total - total;
  return deviation >= lowest && deviation <= highest;
}
