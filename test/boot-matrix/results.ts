import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { matrixGuest } from '../guests/matrix/matrixGuests.ts';
import { cellId, impossibleCells, matrixCells, type MatrixCell } from './cells.ts';
import type { CellResult } from './runCell.ts';

const resultSchema = z.object({
  id: z.string(),
  outcome: z.enum(['up', 'no-address', 'down', 'silent', 'refused']),
  convertSeconds: z.number().nullable(),
  bootSeconds: z.number().nullable(),
  address: z.string().nullable(),
  detail: z.string(),
  at: z.string(),
});

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

## Not cells

${impossibleCells.map(({ what, why }) => `- ${what}: ${why}.`).join('\n')}
`;
}

async function readResults(path: string): Promise<Map<string, CellResult>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  const results = lines.map((line) => resultSchema.parse(JSON.parse(line)));
  return new Map(results.map((result) => [result.id, result]));
}

/** Keeps one more result beside the guests' cache and writes RESULTS.md anew: an interrupted run loses nothing. */
export async function recordResult(result: CellResult, cacheDir: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const path = join(cacheDir, 'boot-matrix.jsonl');
  await appendFile(path, `${JSON.stringify(result)}\n`);
  await writeFile(join(import.meta.dirname, 'RESULTS.md'), renderResults(await readResults(path)));
}
