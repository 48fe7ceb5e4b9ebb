import { expect, test } from 'vitest';
import { parseJson, parseXml } from './parseDocument.ts';

const xml = (text: string) => parseXml({ name: 'x.xml', text });
const json = (text: string) => parseJson({ name: 'x.json', text });

test('elements, attributes and text of XML are read by name without prefix, entities decoded once', () => {
  const root = xml(
    '<a:vm xmlns:a="urn:x" a:id="7"><name>R&amp;D &#x26;lt; &#65;</name><disk n="1"/><disk n="2"/></a:vm>',
  );
  expect(root.child('vm', '@id').number()).toBe(7);
  expect(root.child('vm', 'name').text()).toBe('R&D &lt; A');
  expect(
    root
      .child('vm', 'disk')
      .items()
      .map((disk) => disk.child('@n').text()),
  ).toEqual(['1', '2']);
});

test('what was not read is told with its path, what is ignored is not', () => {
  const root = json(
    '{"vm": {"name": "n", "gpu": {"model": "x"}, "list": [{"a": 1}, {"a": 2}], "meta": {"x": 1}, "none": null}}',
  );
  root.child('vm', 'name').text();
  root.child('vm', 'list').items()[1]?.child('a').number();
  root.child('vm').ignoring('meta', 'absent');
  expect(root.unread()).toEqual(['vm.gpu.model', 'vm.list[0].a']);
});

test('members of the prototype are not there', () => {
  const root = json('{"a": {}}');
  expect([
    root.child('a', 'constructor').exists,
    root.child('__proto__', 'x').exists,
    root.child('a', 'toString').text(),
  ]).toEqual([false, false, null]);
});

test('numbers and truth values are taken from texts as well, and nothing else is', () => {
  const root = json('{"n": "4096", "bad": "4k", "hex": "0x10", "t": "TRUE", "f": "disabled", "m": "maybe"}');
  expect(['n', 'bad', 'hex'].map((name) => root.child(name).number())).toEqual([4096, null, null]);
  expect(['t', 'f', 'm'].map((name) => root.child(name).boolean())).toEqual([true, false, null]);
});

test.each([
  ['broken XML', () => xml('<a><b></a>')],
  ['a document type', () => xml('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')],
  ['nesting of 10,000 elements', () => xml('<a>'.repeat(10_000) + '</a>'.repeat(10_000))],
  ['nesting of 10,000 lists', () => json('['.repeat(10_000) + ']'.repeat(10_000))],
  ['600,000 entries', () => json(`[${'1,'.repeat(600_000)}1]`)],
  ['broken JSON', () => json('{"a": ')],
  ['9 MiB', () => json(`"${'x'.repeat(9 * 1024 * 1024)}"`)],
])('%s is a coded error', (_, parse) => {
  expect(parse).toThrow(expect.objectContaining({ code: 'SPEC_DOCUMENT_INVALID' }));
});
