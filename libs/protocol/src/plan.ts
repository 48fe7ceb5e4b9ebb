import {
  platformIds,
  stepKinds,
  vmDeviceKinds,
  type RestorePlan,
  type RestorePolicy,
  type VmSpec,
} from '@ascend/domain';
import { z } from 'zod';
import { leastBandwidth } from './bandwidth.ts';

const bytes = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const index = z.number().int().min(0).max(4096);
const text = z.string().max(4096);
const name = z.string().min(1).max(255);

/** A MAC address in canonical form: lower case, colons. */
export const macSchema = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);

/** The canonical VM. Unknown fields are refused, so that a typo is not silently lost. */
export const vmSpecSchema: z.ZodType<VmSpec> = z.strictObject({
  name,
  cpuCount: z.number().int().min(1).max(4096),
  coresPerSocket: z.number().int().min(1).max(4096).nullable(),
  memoryBytes: bytes.min(1024 * 1024),
  firmware: z.enum(['bios', 'uefi']),
  secureBoot: z.boolean(),
  tpm: z.boolean(),
  disks: z
    .array(
      z.strictObject({
        diskIndex: index,
        sizeBytes: bytes,
        bus: name.nullable(),
        bootOrder: z.number().int().nullable(),
        vmwareDiskKey: z.number().int().nullable(),
        controller: name.nullable().exactOptional(),
        sourceName: text.nullable().exactOptional(),
      }),
    )
    .max(1024),
  nics: z
    .array(
      z.strictObject({
        nicIndex: index,
        mac: macSchema.nullable(),
        network: name.nullable(),
        model: name.nullable(),
        addresses: z.array(z.string().max(64)).max(256),
      }),
    )
    .max(256),
  osId: name.nullable(),
  notes: text.nullable(),
  tags: z.record(z.string().max(256), z.string().max(1024)),
  cpuArch: z.string().max(32).nullable().exactOptional(),
  clock: z.enum(['utc', 'local-time']).nullable().exactOptional(),
  devices: z
    .array(z.strictObject({ kind: z.enum(vmDeviceKinds), description: z.string().max(1024) }))
    .max(256)
    .exactOptional(),
});

/** A network in CIDR notation; whether two of them fit together is found when the guest is planned. */
const networkSchema = z.union([z.cidrv4(), z.cidrv6()]);

/** Bytes of a first-boot script: it is part of plan, command and guest. */
const maxFirstBootBytes = 64 * 1024;

const firstBootSchema = z
  .string()
  .refine(
    (script) => script.startsWith('#!/'),
    'a script begins with #! and the absolute path of its interpreter',
  )
  .refine((script) => !script.includes('\0'), 'a script holds no NUL')
  .refine(
    (script) => new TextEncoder().encode(script).length <= maxFirstBootBytes,
    `a script has at most ${maxFirstBootBytes} bytes`,
  );

const policyShape = {
  vmName: name,
  prepareGuest: z.boolean(),
  bootTest: z.boolean(),
  powerOn: z.boolean(),
  evidence: z.enum(['guest-agent', 'serial-marker', 'network', 'none']),
  serialMarker: z.string().min(1).max(256).nullable(),
  bootTimeoutMs: z.number().int().min(1000).max(86_400_000),
  excludeDisks: z.array(index).max(1024),
  networkMap: z.record(z.string(), z.string()),
  storage: name.nullable(),
  macs: z.record(z.string(), macSchema),
  cpuCount: z.number().int().min(1).max(4096).nullable(),
  memoryBytes: bytes.nullable(),
  bandwidthBytesPerSecond: bytes.min(leastBandwidth.restore).nullable(),
  addressRules: z.array(z.strictObject({ from: networkSchema, to: networkSchema })).max(64),
  firstBootScript: firstBootSchema.nullable(),
  executor: z.enum(['auto', 'host', 'appliance']),
  acceptDirty: z.boolean(),
};

/** The filled-in policy of a plan. Plans that an earlier version stored know less than today's. */
export const policySchema: z.ZodType<RestorePolicy> = z.strictObject({
  ...policyShape,
  addressRules: policyShape.addressRules.default([]),
  firstBootScript: policyShape.firstBootScript.default(null),
  executor: policyShape.executor.default('auto'),
  acceptDirty: policyShape.acceptDirty.default(false),
});

/** What a caller gives: any subset of the policy. */
export const partialPolicySchema = z.strictObject(policyShape).partial();

/** One finding, in a plan or a check. */
export const findingSchema = z.object({
  code: z.string().max(100),
  severity: z.enum(['ok', 'fixed', 'warning', 'blocked']),
  subject: text,
  message: text,
  evidence: z.string().max(65_536),
  action: text,
});

const sourceFormat = z.enum(['qcow2', 'vhd', 'vhdx', 'vmdk', 'raw', 'ebs-snapshot']);

const sourceSchema = z.object({
  repositoryId: name,
  agentId: name,
  rootPath: text,
  platform: z.enum([...platformIds, 'unknown']),
  fingerprint: text,
  disks: z.array(
    z.object({
      diskIndex: index,
      relPath: text,
      format: sourceFormat,
      virtualSizeBytes: bytes,
      allocatedBytes: bytes,
    }),
  ),
});

const diskSchema = z.object({
  diskIndex: index,
  targetSizeBytes: bytes,
  bytesToMove: bytes,
  bus: name,
  storage: name,
  boot: z.boolean(),
});

const nicSchema = z.object({
  nicIndex: index,
  mac: macSchema.nullable(),
  model: name,
  network: name,
  guestName: name.nullable(),
  addresses: z.array(z.string()),
  rule: z.enum(['keep-mac-and-address', 'platform-dhcp', 'unknown-mac']),
});

const stepSchema = z.object({
  key: name,
  kind: z.enum(stepKinds),
  diskIndex: index.nullable(),
  agentId: name,
  dependsOn: z.array(name),
  bytes,
  concurrencyKeys: z.array(text),
  resources: z.array(
    z.object({ resourceKey: name, kind: z.enum(['overlay', 'disk', 'vm']), undoOrder: z.number().int() }),
  ),
});

/** A whole plan, as stored, sent to agents and kept in files. */
export const planSchema: z.ZodType<RestorePlan> = z.object({
  planVersion: z.literal(1),
  planId: name,
  createdAt: text,
  backupId: name,
  sourceVmName: name,
  inputsHash: text,
  inputs: z.record(z.string(), z.string()),
  policy: policySchema,
  source: sourceSchema,
  target: z.object({ targetId: name, platform: z.enum(platformIds), name, agentId: name }),
  vm: vmSpecSchema,
  firmware: z.enum(['bios', 'uefi']),
  convertsFirmware: z.boolean().exactOptional(),
  disks: z.array(diskSchema),
  nics: z.array(nicSchema),
  steps: z.array(stepSchema),
  findings: z.array(findingSchema),
  estimate: z.object({ bytesToMove: bytes, scratchBytes: bytes, durationP50Ms: bytes, durationP90Ms: bytes }),
});
