import { isBlocked } from '@ascend/domain';
import { editPlace, type GuestEdit } from '@ascend/guest';
import type { ConversionPlan } from '../local/convertDisks.ts';
import { systemOf } from '../local/convertDisks.ts';
import type { Conversion } from '../local/conversionFile.ts';
import { formatFindings } from './findings.ts';
import { formatTable } from './format.ts';

function planHead(plan: ConversionPlan): Record<string, unknown> {
  return {
    platform: plan.request.platform,
    variant: plan.variant.id,
    firmware: plan.firmware,
    system: systemOf(plan.guest),
    fingerprint: plan.source.fingerprint,
    nics: plan.nics.map(({ nicIndex, mac, guestName, addresses, rule }) => ({
      nic_index: nicIndex,
      mac,
      guest_name: guestName,
      addresses,
      rule,
    })),
  };
}

function editJson(edit: GuestEdit): Record<string, unknown> {
  return { kind: edit.kind, place: editPlace(edit), reason: edit.reason };
}

/** A conversion that was only planned, as JSON. */
export function conversionPlanJson(plan: ConversionPlan): Record<string, unknown> {
  return {
    ...planHead(plan),
    blocked: isBlocked(plan.findings),
    edits: plan.edits.map(editJson),
    findings: plan.findings,
    remarks: plan.source.remarks,
  };
}

function headLines(plan: ConversionPlan): readonly string[] {
  const nics = plan.nics.map(({ nicIndex, mac, guestName, addresses, rule }) => [
    String(nicIndex),
    mac ?? 'given by the platform',
    guestName ?? '-',
    addresses.join(' ') || '-',
    rule,
  ]);
  return [
    `${systemOf(plan.guest)} for ${plan.request.platform}: hardware ${plan.variant.id}, ${plan.firmware}`,
    '',
    formatTable(['NIC', 'MAC', 'IN THE GUEST', 'ADDRESSES', 'RULE'], nics),
  ];
}

/** A planned conversion as text: the edits with their reasons, then the findings. */
export function formatConversionPlan(plan: ConversionPlan): string {
  const edits = plan.edits.map((edit) => [edit.kind, editPlace(edit), edit.reason]);
  return [
    ...headLines(plan),
    '',
    formatTable(['EDIT', 'WHERE', 'WHY'], edits),
    '',
    formatFindings(plan.findings),
    '',
    isBlocked(plan.findings)
      ? 'This guest cannot be converted: see the findings marked BLOCKED.'
      : `${plan.edits.length} edits, nothing written: this was a plan.`,
  ].join('\n');
}

/** A finished conversion as JSON. */
export function conversionJson(plan: ConversionPlan, done: Conversion, out: string): Record<string, unknown> {
  return {
    ...planHead(plan),
    out,
    disks: done.disks.map((disk) => ({
      disk_index: disk.diskIndex,
      source: disk.source,
      overlay: `${out}/${disk.overlay}`,
    })),
    edits: plan.edits.map(editJson),
    diff: done.diff,
    findings: done.findings,
    remarks: plan.source.remarks,
  };
}

/** A finished conversion as text: overlays, what changed, what there is to know. */
export function formatConversion(plan: ConversionPlan, done: Conversion, out: string): string {
  const disks = done.disks.map((disk) => [`${out}/${disk.overlay}`, disk.source]);
  const told = done.findings.filter(({ severity }) => severity !== 'ok');
  const checks = done.findings.length - told.length;
  return [
    ...headLines(plan),
    '',
    formatTable(['OVERLAY', 'ON'], disks),
    '',
    formatTable(
      ['CHANGED', 'HOW'],
      done.diff.map(({ path, change }) => [path, change]),
    ),
    '',
    formatFindings(told),
    '',
    `${plan.edits.length} edits made, ${checks} checks passed; the overlays are sealed.`,
    `prove that it boots: ascend local boot-test ${out} --as ${done.platform}`,
  ].join('\n');
}
