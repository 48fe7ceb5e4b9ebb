import { createCipheriv, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { looksRandom } from './looksRandom.ts';

const cluster = 65_536;

function numbers(step: number): Buffer {
  const bytes = Buffer.alloc(cluster);
  for (let at = 0; at < cluster; at += 4) bytes.writeUInt32LE((at * step) >>> 0, at);
  return bytes;
}

function words(): Buffer {
  const parts: string[] = [];
  for (let word = 0; word < 30_000; word += 1)
    parts.push((Math.imul(word, 2_654_435_761) >>> 8).toString(36));
  return Buffer.from(parts.join(' '));
}

test('random and encrypted data is known in almost every case', () => {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
  let known = 0;
  for (let round = 0; round < 100; round += 1) {
    known += looksRandom(randomBytes(cluster)) ? 1 : 0;
    known += looksRandom(cipher.update(words().subarray(0, cluster))) ? 1 : 0;
  }
  expect(known).toBeGreaterThan(190);
});

test.each([
  ['zeros', Buffer.alloc(cluster)],
  ['text', Buffer.alloc(cluster, 'It was the best of times, it was the worst of times. ')],
  ['words', words().subarray(0, cluster)],
  ['base64', Buffer.from(randomBytes(cluster).toString('base64')).subarray(0, cluster)],
  ['hexadecimal digits', Buffer.from(randomBytes(cluster).toString('hex')).subarray(0, cluster)],
  [
    'every byte in turn',
    Buffer.alloc(cluster, Buffer.from(Array.from({ length: 256 }, (_, value) => value))),
  ],
  ['a table of numbers', numbers(1)],
  ['a table of large numbers', numbers(65_537)],
  ['one random page again and again', Buffer.alloc(cluster, randomBytes(4096))],
  ['a random half and a half of zeros', Buffer.concat([randomBytes(cluster / 2), Buffer.alloc(cluster / 2)])],
  ['too little to tell', randomBytes(512)],
])('%s is tried', (_name, data) => {
  expect(looksRandom(data)).toBe(false);
});
