import { createCipheriv, createHash, type Cipheriv } from 'node:crypto';

/** Numbers that are the same in every run: what a seed decides. */
export interface Random {
  /** 0 ≤ value < 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
}

/** Mulberry32: small, quick, good enough to place extents. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, between: (low, high) => low + Math.floor(next() * (high - low + 1)) };
}

const mib = 1024 * 1024;
const textBytes = 32 * mib;

/** Words of very uneven frequency with numbers between them: deflates about 2.5 : 1, as the files of a server do. */
function makeText(random: Random): Buffer {
  const letters = 'etaoinshrdlucmfwypvbgkqjxz';
  const words = Array.from({ length: 20_000 }, () =>
    Array.from(
      { length: random.between(2, 9) },
      () => letters[Math.floor(random.next() ** 1.7 * letters.length)],
    ).join(''),
  );
  const text = Buffer.alloc(textBytes);
  for (let at = 0; at < textBytes;) {
    const kind = random.next();
    if (kind < 0.12 && at > 32_768) {
      // A phrase that was said before, as in logs, sources and tables.
      const from = at - random.between(64, 30_000);
      at += text.copy(text, at, from, Math.min(from + random.between(12, 60), at));
      continue;
    }
    const word =
      kind < 0.15
        ? String(random.between(0, 9_999_999))
        : (words[Math.floor(random.next() ** 3.5 * words.length)] ?? '');
    at += text.write(`${word} `, at, 'latin1');
  }
  return text;
}

/** The bytes of a test disk: noise that no packer shortens, text that one does, and zeros that were written. */
export interface Content {
  /** A buffer that stays valid until the next call. */
  next(lengthBytes: number): Buffer;
}

/** Content in the given mix; what is left over is zeros. Deterministic by seed and order of calls. */
export function createContent(seed: number, mix: { readonly noise: number; readonly text: number }): Content {
  const random = createRandom(seed);
  const text = makeText(random);
  const key = createHash('sha256').update(`bench ${seed}`).digest();
  const noise: Cipheriv = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(8 * mib);
  return {
    next: (lengthBytes) => {
      const kind = random.next();
      if (kind < mix.noise) return noise.update(zeros.subarray(0, lengthBytes));
      if (kind >= mix.noise + mix.text) return zeros.subarray(0, lengthBytes);
      const from = random.between(0, textBytes - lengthBytes);
      return text.subarray(from, from + lengthBytes);
    },
  };
}
