import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { MatrixGuest } from '../guests/matrix/matrixGuest.ts';
import { sourceBus } from '../guests/matrix/matrixGuest.ts';
import { matrixGuest, matrixGuests } from '../guests/matrix/matrixGuests.ts';
import { cellId, controlId, impossibleCells, matrixCells, type MatrixCell } from './cells.ts';
import type { CellResult } from './runCell.ts';

const resultsPath = join(import.meta.dirname, 'results.json');
const resultSchema = z.object({
  id: z.string(),
  outcome: z.enum(['up', 'no-address', 'down', 'silent', 'refused']),
  convertSeconds: z.number().nullable(),
  bootSeconds: z.number().nullable(),
  address: z.string().nullable(),
  detail: z.string(),
  at: z.string(),
});
const resultsSchema = z.array(resultSchema);

function plain(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 160);
}

function row(cell: MatrixCell, result: CellResult | undefined): string {
  const { firmware } = matrixGuest(cell.guest);
  const judged = result === undefined ? 'not run' : result.outcome;
  const verdict =
    result === undefined || result.outcome === cell.expected ? judged : `**${judged}, not ${cell.expected}**`;
  const seconds = [result?.convertSeconds, result?.bootSeconds].map((value) => value ?? '–').join(' + ');
  const detail = plain([cell.note, result?.detail].filter((part) => part !== undefined).join('; '));
  const cells = [
    cell.guest,
    firmware,
    cell.bus,
    cell.target,
    cell.isConverted ? 'yes' : 'no',
    verdict,
    seconds,
    result?.address ?? '–',
    detail,
    result?.at.slice(0, 10) ?? '–',
  ];
  return `| ${cells.join(' | ')} |`;
}

function controlRow(guest: MatrixGuest, result: CellResult | undefined): string {
  const { outcome = 'not run', bootSeconds, detail = '', at } = result ?? {};
  const verdict = ['up', 'not run'].includes(outcome) ? outcome : `**${outcome}, not up**`;
  const hardware = `${guest.firmware}, ${sourceBus(guest)}, vmxnet3`;
  const cells = [guest.name, hardware, verdict, bootSeconds ?? '–', plain(detail), at?.slice(0, 10) ?? '–'];
  return `| ${cells.join(' | ')} |`;
}

/** The table of all cells with the last result of each. */
export function renderResults(results: ReadonlyMap<string, CellResult>): string {
  const rows = matrixCells.map((cell) => row(cell, results.get(cellId(cell))));
  const met = matrixCells.filter((cell) => results.get(cellId(cell))?.outcome === cell.expected).length;
  return `# Boot matrix: last results

Written by \`node test/boot-matrix/main.ts\` and \`test/run.sh --nightly\`. ${met} of ${matrixCells.length} cells ended as expected. Seconds: conversion + boot
to the proof. A cell that is expected to be \`down\` or \`refused\` says why.

| guest | firmware | disk bus | target's data | converted | outcome | seconds | address, interface | evidence | date |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## Controls

Each guest as it was backed up, on the hardware it comes from: what does not come up here would prove nothing above.

| guest | hardware | outcome | seconds | evidence | date |
| --- | --- | --- | --- | --- | --- |
${matrixGuests.map((guest) => controlRow(guest, results.get(controlId(guest)))).join('\n')}

## Not cells

${impossibleCells.map(({ what, why }) => `- ${what}: ${why}.`).join('\n')}
`;
}

async function readResults(): Promise<Map<string, CellResult>> {
  const text = await readFile(resultsPath, 'utf8').catch(() => '[]');
  return new Map(resultsSchema.parse(JSON.parse(text)).map((result) => [result.id, result]));
}

/** Keeps the last result of each cell beside the table and writes RESULTS.md anew: an interrupted run loses nothing. */
export async function recordResult(result: CellResult): Promise<void> {
  const results = await readResults();
  results.set(result.id, result);
  const ids = [...matrixGuests.map(controlId), ...matrixCells.map(cellId)];
  const kept = ids.map((id) => results.get(id)).filter((one) => one !== undefined);
  await writeFile(resultsPath, `${JSON.stringify(kept, null, 2)}\n`);
  await writeFile(join(import.meta.dirname, 'RESULTS.md'), renderResults(results));
}
