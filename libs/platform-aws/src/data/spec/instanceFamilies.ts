import type { VmDevice } from '@ascend/domain';
import { familyOf } from './instanceSizes.ts';

/**
 * Families on the older Xen hypervisor; all others are Nitro. (`Hypervisor` of an instance says `xen` for both.) Sources:
 * DescribeInstanceTypes for t2 and m4, read 2026-11-20; the rest from general knowledge of these generations.
 */
const xenFamilies = new Set(
  't1 t2 m1 m2 m3 m4 c1 c3 c4 cc2 cr1 d2 f1 g2 g3 g3s h1 hs1 i2 i3 p2 p3 r3 r4 x1 x1e'.split(' '),
);

/** Accelerators by the beginning of the family's name (general knowledge of the families, 2026-11). */
const accelerators: readonly [RegExp, VmDevice['kind'], string][] = [
  [/^g4ad$/, 'gpu', 'AMD Radeon Pro V520'],
  [/^g2$/, 'gpu', 'NVIDIA GRID K520'],
  [/^g3s?$/, 'gpu', 'NVIDIA M60'],
  [/^g4dn$/, 'gpu', 'NVIDIA T4'],
  [/^g5$/, 'gpu', 'NVIDIA A10G'],
  [/^g5g$/, 'gpu', 'NVIDIA T4G'],
  [/^gr?6f?$/, 'gpu', 'NVIDIA L4'],
  [/^g6e$/, 'gpu', 'NVIDIA L40S'],
  [/^p2$/, 'gpu', 'NVIDIA K80'],
  [/^p3/, 'gpu', 'NVIDIA V100'],
  [/^p4/, 'gpu', 'NVIDIA A100'],
  [/^[gp]\d/, 'gpu', 'graphics processor'],
  [/^(?:inf|trn)\d/, 'other', 'accelerator for machine learning'],
  [/^dl\d/, 'other', 'accelerator for machine learning'],
  [/^f\d/, 'other', 'field-programmable gate array'],
  [/^vt\d/, 'other', 'accelerator for video'],
];

/** Does the type run on Xen, with Xen disks and network cards? */
export function isXen(instanceType: string | null): boolean {
  return xenFamilies.has(familyOf(instanceType));
}

/** The accelerators that come with an instance type. */
export function acceleratorsOf(instanceType: string | null): readonly VmDevice[] {
  const family = familyOf(instanceType);
  const found = family === '' ? undefined : accelerators.find(([pattern]) => pattern.test(family));
  if (found === undefined) return [];
  const [, kind, what] = found;
  return [{ kind, description: `${instanceType}: ${what}` }];
}
