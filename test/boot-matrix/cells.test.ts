import { machineBuses } from '@ascend/guest';
import { expect, it } from 'vitest';
import { matrixGuest, matrixGuests } from '../guests/matrix/matrixGuests.ts';
import { cellId, controlId, matrixCells, quickCells } from './cells.ts';
import { renderResults } from './results.ts';
import { targetHardware } from './targets.ts';

it('every guest and every bus is in at least one converted cell, no cell twice', () => {
  const converted = matrixCells.filter(({ isConverted }) => isConverted);
  const guests = new Set(converted.map(({ guest }) => guest));
  const buses = new Set(converted.map(({ bus }) => bus));
  expect(matrixGuests.filter(({ name }) => !guests.has(name))).toEqual([]);
  expect(machineBuses.filter((bus) => !buses.has(bus))).toEqual([]);
  expect(new Set(matrixCells.map(cellId)).size).toBe(matrixCells.length);
});

it('the quick cells hold every bus and both kinds of firmware', () => {
  expect(quickCells).toHaveLength(8);
  expect(new Set(quickCells.map(({ bus }) => bus))).toEqual(new Set(machineBuses));
  expect(new Set(quickCells.map(({ guest }) => matrixGuest(guest).firmware))).toEqual(
    new Set(['bios', 'uefi']),
  );
});

it('every unconverted cell has a converted twin', () => {
  const twins = new Set(matrixCells.filter(({ isConverted }) => isConverted).map(cellId));
  const lonely = matrixCells
    .filter(({ isConverted }) => !isConverted)
    .map((cell) => cellId({ ...cell, isConverted: true }))
    .filter((id) => !twins.has(id));
  expect(lonely).toEqual([]);
});

it('every cell is hardware that its platform has', () => {
  const impossible = matrixCells.filter((cell) => {
    try {
      return targetHardware(cell.target, cell.bus, matrixGuest(cell.guest).firmware).nicModel === '';
    } catch {
      return true;
    }
  });
  expect(impossible.map(cellId)).toEqual([]);
});

it('the tables name a cell and a control that did not end as expected', () => {
  const id = 'bios-ext4 on virtio-blk of kvm';
  const detail = 'a | b';
  const result = {
    id,
    outcome: 'down',
    convertSeconds: 9,
    bootSeconds: 60,
    address: null,
    detail,
    at: '2026-01-02',
  } as const;
  const control = controlId({ name: 'ifupdown' });
  const text = renderResults(
    new Map([
      [id, result],
      [control, { ...result, id: control }],
    ]),
  );
  expect(text).toContain('| ifupdown | bios, pvscsi, vmxnet3 | **down, not up** | 60 | a / b | 2026-01-02 |');
  expect(text).toContain(
    '| bios-ext4 | bios | virtio-blk | kvm | yes | **down, not up** | 9 + 60 | – | a / b | 2026-01-02 |',
  );
  expect(text).toContain(`0 of ${matrixCells.length} cells ended as expected`);
});
