import { AppError } from '@ascend/errors';
import { z } from 'zod';

type SnakeName<S extends string, First extends boolean = true> = string extends S
  ? string
  : S extends `${infer Head}${infer Tail}`
    ? Head extends Lowercase<Head>
      ? `${Head}${SnakeName<Tail, false>}`
      : `${First extends true ? '' : '_'}${Lowercase<Head>}${SnakeName<Tail, false>}`
    : '';

/** A type with the names of its fields in snake_case; keys of records (network names, MACs …) are data and stay. */
export type SnakeKeys<T> = T extends readonly (infer E)[]
  ? SnakeKeys<E>[]
  : T extends object
    ? { -readonly [K in keyof T as K extends string ? SnakeName<K> : K]: SnakeKeys<T[K]> }
    : T;

/** `bytesToMove` → `bytes_to_move`. */
export function snakeName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The same schema for the API: field names of objects in snake_case, everything else untouched. */
export function snakeSchema<T>(schema: z.ZodType<T>): z.ZodType<SnakeKeys<T>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `renamed` does to the schema what SnakeKeys does to its type
  return renamed(schema) as z.ZodType<SnakeKeys<T>>;
}

function renamed(schema: unknown): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.fromEntries(
      Object.entries(schema.shape).map(([key, field]) => [snakeName(key), renamed(field)]),
    );
    return schema.def.catchall instanceof z.ZodNever ? z.strictObject(shape) : z.object(shape);
  }
  if (schema instanceof z.ZodArray) {
    return new z.ZodArray({ ...schema.def, element: renamed(schema.element) });
  }
  if (schema instanceof z.ZodNullable) return renamed(schema.unwrap()).nullable();
  if (schema instanceof z.ZodOptional) return renamed(schema.unwrap()).optional();
  if (schema instanceof z.ZodType) return schema;
  throw new AppError({ code: 'INTERNAL_BUG', message: 'rename schema: a part of it is no zod schema' });
}

/** Internal value → API value, guided by its schema. Fields that the schema does not name are left out. */
export function toSnake<T>(schema: z.ZodType<T>, value: T): SnakeKeys<T> {
  return snakeSchema(schema).parse(convert(schema, value, (name) => name, snakeName));
}

/** API value (already validated by `snakeSchema`) → internal value. */
export function fromSnake<T>(schema: z.ZodType<T>, value: unknown): T {
  return schema.parse(convert(schema, value, snakeName, (name) => name));
}

type Rename = (name: string) => string;

function convert(schema: unknown, value: unknown, from: Rename, to: Rename): unknown {
  if (value === null || value === undefined) return value;
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) {
    return convert(schema.unwrap(), value, from, to);
  }
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((item: unknown) => convert(schema.element, item, from, to));
  }
  if (schema instanceof z.ZodObject && typeof value === 'object') {
    const source = new Map<string, unknown>(Object.entries(value));
    const entries: [string, unknown][] = [];
    for (const [key, field] of Object.entries(schema.shape)) {
      const item = source.get(from(key));
      if (item !== undefined) entries.push([to(key), convert(field, item, from, to)]);
    }
    return Object.fromEntries(entries);
  }
  return value;
}
