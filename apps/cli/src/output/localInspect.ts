import { printable, serializeError } from '@ascend/errors';
import type { InspectOutcome } from '../local/inspectDisks.ts';
import { formatBytes, formatTable } from './format.ts';

type Inspected = Extract<InspectOutcome, { disk: unknown }>['disk'];
type Layer = Inspected['layers'][number];

function layerJson(layer: Layer): Record<string, unknown> {
  return {
    rel_path: layer.relPath,
    path: layer.absPath,
    format: layer.format,
    virtual_size_bytes: layer.virtualSizeBytes,
    file_size_bytes: layer.fileSizeBytes,
    stored_bytes: layer.storedBytes,
    cluster_bytes: layer.clusterBytes,
    closed_cleanly: layer.closedCleanly,
    backing:
      layer.backing === null
        ? null
        : {
            recorded: layer.backing.recorded,
            recorded_format: layer.backing.recordedFormat,
            found: layer.backing.found,
          },
    allocated_bytes: layer.allocatedBytes,
    dirty_bytes: layer.dirtyBytes,
    visible_bytes: layer.visibleBytes,
  };
}

function tableJson(contents: Inspected['contents']): Record<string, unknown> | null {
  if (contents === null) return null;
  return {
    scheme: contents.scheme,
    firmware: contents.firmware,
    partitions: contents.partitions.map((part) => ({
      number: part.number,
      offset_bytes: part.offsetBytes,
      size_bytes: part.sizeBytes,
      type: part.type,
      content: part.content,
      uuid: part.uuid,
      label: part.label,
    })),
  };
}

/** One inspected disk as JSON; `error` stands alone when nothing could be told. */
export function inspectOutcomeJson(outcome: InspectOutcome): Record<string, unknown> {
  if ('error' in outcome) return { path: outcome.path, error: serializeError(outcome.error) };
  const { disk } = outcome;
  return {
    path: outcome.path,
    repository_root: disk.rootPath,
    format: disk.layers[0]?.format ?? null,
    virtual_size_bytes: disk.virtualSizeBytes,
    allocated_bytes: disk.allocatedBytes,
    fingerprint: disk.fingerprint,
    chain: disk.layers.map(layerJson),
    partition_table: tableJson(disk.contents),
    health: {
      state: disk.problem === null ? 'sound' : 'damaged',
      problem: disk.problem === null ? null : serializeError(disk.problem),
    },
    remarks: disk.remarks,
  };
}

function bytes(value: number | null): string {
  return value === null ? '-' : formatBytes(value);
}

function formatDisk(path: string, disk: Inspected): string {
  const layers = disk.layers.map((layer) => [
    layer.relPath,
    layer.format,
    formatBytes(layer.virtualSizeBytes),
    formatBytes(layer.storedBytes),
    bytes(layer.allocatedBytes),
    bytes(layer.dirtyBytes),
    bytes(layer.visibleBytes),
    layer.backing === null ? '-' : JSON.stringify(layer.backing.recorded),
  ]);
  const parts = (disk.contents?.partitions ?? []).map((part) => [
    part.number === null ? '-' : String(part.number),
    String(part.offsetBytes),
    formatBytes(part.sizeBytes),
    part.type ?? '-',
    part.content,
    part.uuid ?? '-',
    part.label === null ? '-' : JSON.stringify(part.label),
  ]);
  const headings = ['FILE', 'FORMAT', 'SIZE', 'STORED', 'DATA', 'CHANGED', 'VISIBLE', 'BACKING AS RECORDED'];
  return [
    `${printable(path)}: ${formatBytes(disk.virtualSizeBytes)}, ${bytes(disk.allocatedBytes)} of data, fingerprint ${disk.fingerprint.slice(0, 12)}…`,
    formatTable(headings, layers),
    `partition table: ${disk.contents?.scheme ?? 'not readable'}`,
    ...(parts.length === 0
      ? []
      : [formatTable(['PART', 'OFFSET', 'SIZE', 'TYPE', 'CONTENT', 'UUID', 'LABEL'], parts)]),
    disk.problem === null
      ? 'health: sound'
      : `health: DAMAGED, ${disk.problem.code}: ${disk.problem.message}`,
    ...disk.remarks.map((remark) => `- ${printable(remark)}`),
  ].join('\n');
}

/** Inspected disks as text. */
export function formatInspectOutcomes(outcomes: readonly InspectOutcome[]): string {
  return outcomes
    .map((outcome) =>
      'error' in outcome
        ? `${printable(outcome.path)}: ${outcome.error.code}: ${outcome.error.message}`
        : formatDisk(outcome.path, outcome.disk),
    )
    .join('\n\n');
}
