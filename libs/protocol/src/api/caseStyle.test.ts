import { expect, test } from 'vitest';
import { z } from 'zod';
import { fromSnake, snakeSchema, toSnake } from './caseStyle.ts';

const inner = z.strictObject({ diskIndex: z.number(), macAddress: z.string().nullable() });
const schema = z.object({
  durationP50Ms: z.number(),
  networkMap: z.record(z.string(), z.string()),
  allDisks: z.array(inner).max(2),
  maybeDisk: inner.optional(),
  rawOutput: z.unknown(),
});
const value = {
  durationP50Ms: 5,
  networkMap: { vmNetwork: 'userNet' },
  allDisks: [{ diskIndex: 0, macAddress: null }],
  rawOutput: { keepThis: 1 },
};
const snake = {
  duration_p50_ms: 5,
  network_map: { vmNetwork: 'userNet' },
  all_disks: [{ disk_index: 0, mac_address: null }],
  raw_output: { keepThis: 1 },
};

test('field names change, keys of records and unknown values stay', () => {
  expect(toSnake(schema, value)).toEqual(snake);
});

test('the way back gives the same value', () => {
  expect(fromSnake(schema, toSnake(schema, value))).toEqual(value);
});

test('the API schema accepts the API form and refuses the internal one', () => {
  const api = snakeSchema(schema);
  expect(api.parse(snake)).toEqual(snake);
  expect(api.safeParse(value).success).toBe(false);
});

test('strict objects stay strict and array bounds stay', () => {
  const api = snakeSchema(schema);
  expect(api.safeParse({ ...snake, maybe_disk: { disk_index: 1, mac_address: null, x: 1 } }).success).toBe(
    false,
  );
  const disk = { disk_index: 0, mac_address: null };
  expect(api.safeParse({ ...snake, all_disks: [disk, disk, disk] }).success).toBe(false);
});
