import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maxDocumentBytes } from '../limits.ts';
import type { SpecReader } from '../specReader.ts';

/** One document that the reader must understand. */
export interface ReaderExample {
  readonly name: string;
  readonly text: string;
}

/** What the contract needs of a format. */
export interface ReaderContractParams {
  readonly reader: SpecReader;
  readonly examples: readonly ReaderExample[];
}

const entityBomb = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`;
const externalEntity = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]>`;

function edges(reader: SpecReader, text: string) {
  const reading = reader.read({ name: 'x', text }, null);
  const isTold = reading.spec !== null || reading.findings.some(({ severity }) => severity === 'blocked');
  return { reading, isTold };
}

/** The examples that are XML, with entities declared before them. */
function hostileXml(examples: readonly ReaderExample[]): readonly ReaderExample[] {
  const xml = examples.filter(({ text }) => /^\uFEFF?\s*</.test(text));
  return xml.flatMap(({ name, text }) => {
    const body = text.replace(/^\uFEFF?\s*<\?xml[^>]*\?>/, '');
    return [
      { name: `an entity bomb before ${name}`, text: entityBomb + body },
      { name: `an entity that names a file before ${name}`, text: externalEntity + body },
    ];
  });
}

/** The tests that every reader of VM metadata passes, whatever it is given. */
export function declareReaderContract({ reader, examples }: ReaderContractParams): void {
  describe(`reader of ${reader.format}`, () => {
    test.each(examples)('recognises $name, and makes a specification of it', ({ name, text }) => {
      expect(reader.recognise({ name, text })).not.toBeNull();
      expect(reader.read({ name, text }, null).spec).not.toBeNull();
    });

    test('recognises nothing else', () => {
      const others = ['', '{}', '[]', 'null', '<a/>', 'hello', '{"name": 3}', '\u0000\u0001'];
      expect(others.filter((text) => reader.recognise({ name: 'x', text }) !== null)).toEqual([]);
    });

    test('a document that is cut anywhere, or has bytes changed, gives a specification or a blocked finding, and never throws', () => {
      const damaged = fc
        .record({
          example: fc.constantFrom(...examples),
          cutAt: fc.double({ min: 0, max: 1, noNaN: true }),
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          put: fc.oneof(
            fc.string({ maxLength: 8 }),
            fc.constantFrom('-1', '1e400', '"', '<', '}', '999999999999999999999'),
          ),
          isCut: fc.boolean(),
        })
        .map(({ example: { text }, cutAt, at, put, isCut }) => {
          const place = Math.floor(at * text.length);
          const changed = text.slice(0, place) + put + text.slice(place + put.length);
          return isCut ? changed.slice(0, Math.floor(cutAt * changed.length)) : changed;
        });
      expect(() =>
        fc.assert(
          fc.property(damaged, (text) => edges(reader, text).isTold),
          { numRuns: 150 },
        ),
      ).not.toThrow();
    });

    test('any text gives a specification or a blocked finding, and never throws', () => {
      expect(() =>
        fc.assert(fc.property(fc.string({ maxLength: 400 }), (text) => edges(reader, text).isTold)),
      ).not.toThrow();
    });

    test('a document above the limit of size is refused before it is parsed', () => {
      const { reading } = edges(reader, ' '.repeat(maxDocumentBytes + 1));
      expect(reading.findings.map(({ code }) => code)).toEqual(['SPEC_DOCUMENT_INVALID']);
    });

    test.each(hostileXml(examples))('$name is refused', ({ text }) => {
      const { reading } = edges(reader, text);
      expect(reading.findings.map(({ code }) => code)).toEqual(['SPEC_DOCUMENT_INVALID']);
    });
  });
}
