import { describe, expect, it } from 'vitest';
import { formatBar, formatBytes, formatDuration, formatTable } from './format.ts';

describe('formatting for people', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.50 KiB'],
    [5 * 1024 ** 3, '5.00 GiB'],
    [1.5 * 1024 ** 4, '1.50 TiB'],
    [150 * 1024 ** 2, '150 MiB'],
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [400, '0.4 s'],
    [42_000, '42 s'],
    [63_000, '1 min 03 s'],
    [7_500_000, '2 h 05 min'],
  ])('shows %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('draws a bar that is full exactly at the end', () => {
    expect(formatBar(0, 100, 4)).toBe('[....]   0 %');
    expect(formatBar(99, 100, 4)).toBe('[####]  99 %');
    expect(formatBar(100, 100, 4)).toBe('[####] 100 %');
    expect(formatBar(5, 0, 4)).toBe('[####] 100 %');
  });

  it('aligns columns and keeps the last one ragged', () => {
    expect(
      formatTable(
        ['ID', 'NAME'],
        [
          ['1', 'a'],
          ['100', 'bb'],
        ],
      ),
    ).toBe('ID   NAME\n1    a\n100  bb');
  });
});
