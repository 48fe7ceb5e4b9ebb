/** CPUs and memory (MiB) by family and size. */
type Sizes = Readonly<Record<string, readonly [cpus: number, memoryMib: number]>>;

/**
 * What DescribeInstances does not tell. Source: a DescribeInstanceTypes dump in getmoto/moto `instance_types.json` (commit 0af643a5,
 * Apache-2.0), read 2026-11-20. The common types alone: others are told by `InstanceTypes` beside the instance, or by the operator.
 */
const families: Readonly<Record<string, Sizes>> = {
  t2: { micro: [1, 1024], medium: [2, 4096] },
  t3: {
    nano: [2, 512],
    micro: [2, 1024],
    small: [2, 2048],
    medium: [2, 4096],
    large: [2, 8192],
    xlarge: [4, 16384],
    '2xlarge': [8, 32768],
  },
  t3a: { medium: [2, 4096], large: [2, 8192] },
  t4g: { medium: [2, 4096], large: [2, 8192] },
  m4: { large: [2, 8192] },
  m5: { large: [2, 8192], xlarge: [4, 16384], '2xlarge': [8, 32768], '4xlarge': [16, 65536] },
  m5a: { large: [2, 8192] },
  m6i: {
    large: [2, 8192],
    xlarge: [4, 16384],
    '2xlarge': [8, 32768],
    '4xlarge': [16, 65536],
    '8xlarge': [32, 131072],
  },
  m6a: { large: [2, 8192], xlarge: [4, 16384] },
  m7i: { large: [2, 8192], xlarge: [4, 16384], '2xlarge': [8, 32768], '4xlarge': [16, 65536] },
  m7a: { large: [2, 8192] },
  m7g: { large: [2, 8192], xlarge: [4, 16384] },
  c5: { large: [2, 4096], xlarge: [4, 8192] },
  c6i: { large: [2, 4096], xlarge: [4, 8192], '2xlarge': [8, 16384], '4xlarge': [16, 32768] },
  c7i: { large: [2, 4096], xlarge: [4, 8192], '2xlarge': [8, 16384] },
  r5: { large: [2, 16384], xlarge: [4, 32768] },
  r6i: { large: [2, 16384], xlarge: [4, 32768], '2xlarge': [8, 65536], '4xlarge': [16, 131072] },
  r7i: { large: [2, 16384], xlarge: [4, 32768], '2xlarge': [8, 65536] },
};

/** CPUs and memory of an instance type. */
export interface InstanceSize {
  readonly cpuCount: number | null;
  readonly memoryBytes: number | null;
}

/** `m5` of `m5.large`; empty when the text is no instance type. */
export function familyOf(instanceType: string | null): string {
  return /^([a-z][a-z0-9-]{1,15})\.[a-z0-9-]{1,20}$/.exec(instanceType ?? '')?.[1] ?? '';
}

/** Size of an instance type by the table; null = it is not in it. */
export function sizeOf(instanceType: string | null): InstanceSize | null {
  const sizes = families[familyOf(instanceType)];
  const name = instanceType?.split('.')[1] ?? '';
  const size = sizes !== undefined && Object.hasOwn(sizes, name) ? sizes[name] : undefined;
  return size === undefined ? null : { cpuCount: size[0], memoryBytes: size[1] * 1024 ** 2 };
}
