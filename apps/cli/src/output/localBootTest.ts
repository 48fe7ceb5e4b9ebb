import type { DriverCheck } from '@ascend/guest';
import { systemOf } from '../local/convertDisks.ts';
import type { Rehearsed } from '../local/rehearse.ts';
import { formatDuration, formatTable } from './format.ts';

const tailCharacters = 4096;

/** A rehearsal as JSON. `screenshot` is the file it was written to. */
export function bootTestJson(done: Rehearsed, screenshot: string | null): Record<string, unknown> {
  const { report, hardware } = done;
  return {
    platform: done.platform,
    variant: done.variant.id,
    firmware: done.firmware,
    system: systemOf(done.guest),
    verdict: report.verdict,
    evidence: report.evidence.map(({ rung, passed, summary }) => ({ rung, passed, summary })),
    addresses: report.addresses,
    ready_after_ms: report.readyAfterMs,
    acceleration: report.acceleration,
    screenshot,
    serial_tail: report.serialTail.slice(-tailCharacters),
    hardware: {
      disk_bus: hardware.bus,
      nic_model: hardware.nicModel,
      not_emulated: hardware.staticOnly.map(({ device, modules, reason }) => ({ device, modules, reason })),
    },
    drivers: done.drivers,
  };
}

const wordsFor: Readonly<Record<DriverCheck['found'], string>> = {
  initramfs: 'in every boot image',
  shipped: 'shipped with every kernel',
  missing: 'MISSING',
};

/** A rehearsal as text. */
export function formatBootTest(done: Rehearsed, screenshot: string | null): string {
  const { report, hardware } = done;
  const evidence = report.evidence.map(({ rung, passed, summary }) => [
    rung,
    passed ? 'seen' : 'not seen',
    summary,
  ]);
  const drivers = done.drivers.map(({ module, found, ok, emulated }) => [
    module,
    `${wordsFor[found]}${ok ? '' : ', needed to boot'}`,
    emulated ? 'booted with' : 'looked up only',
  ]);
  const took = report.readyAfterMs === null ? '' : ` after ${formatDuration(report.readyAfterMs)}`;
  return [
    report.serialTail.slice(-tailCharacters).replaceAll('\r', '').trimEnd(),
    '',
    `${systemOf(done.guest)} as ${done.platform} (${done.variant.id}, ${done.firmware}): ${report.verdict.toUpperCase()}${took}`,
    `emulated: disks on ${hardware.bus}, cards ${hardware.nicModel}, ${report.acceleration}`,
    ...hardware.standIns.map((text) => `not emulated: ${text}`),
    '',
    formatTable(['EVIDENCE', '', 'WHAT'], evidence),
    `addresses: ${report.addresses.join(' ') || 'none seen'}`,
    ...(screenshot === null ? [] : [`screenshot: ${screenshot}`]),
    ...(drivers.length === 0 ? [] : ['', formatTable(['DRIVER', 'IN THE GUEST', 'REHEARSED'], drivers)]),
  ].join('\n');
}
