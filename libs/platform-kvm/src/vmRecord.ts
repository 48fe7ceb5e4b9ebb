import type { Firmware } from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** One disk of a recorded VM. */
export interface RecordedDisk {
  readonly diskIndex: number;
  readonly storage: string;
  readonly ownedName: string;
  readonly bus: string;
  readonly boot: boolean;
}

/** One network card of a recorded VM. */
interface RecordedNic {
  readonly nicIndex: number;
  readonly mac: string;
  readonly model: string;
  readonly network: string;
  readonly addresses: readonly string[];
}

/** The definition of a VM as it lies in `vm.json`: all that is needed to start it, and whose it is. */
export interface VmRecord {
  readonly version: 1;
  readonly name: string;
  readonly ownedName: string;
  readonly jobId: string;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly firmware: Firmware;
  readonly disks: readonly RecordedDisk[];
  readonly nics: readonly RecordedNic[];
  readonly notes: string | null;
  readonly tags: Readonly<Record<string, string>>;
}

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;

const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isFlag: Check = (value) => typeof value === 'boolean';
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const hasShape =
  (shape: Shape): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(shape).every(([field, check]) => check(Reflect.get(value, field)));

const hasRecordShape: Check = hasShape({
  version: (value) => value === 1,
  name: isText,
  ownedName: isText,
  jobId: isText,
  createdAt: isText,
  cpuCount: isCount,
  memoryBytes: isCount,
  firmware: (value) => value === 'bios' || value === 'uefi',
  disks: isListOf(
    hasShape({ diskIndex: isCount, storage: isText, ownedName: isText, bus: isText, boot: isFlag }),
  ),
  nics: isListOf(
    hasShape({ nicIndex: isCount, mac: isText, model: isText, network: isText, addresses: isListOf(isText) }),
  ),
  notes: (value) => value === null || typeof value === 'string',
  tags: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
});

function isVmRecord(value: unknown): value is VmRecord {
  return hasRecordShape(value);
}

/** Checks a record that was read back. @throws {AppError} TARGET_RECORD_CORRUPT - a field is missing or of another type */
export function parseVmRecord(value: unknown, path: string): VmRecord {
  if (isVmRecord(value)) return value;
  throw new AppError({
    code: 'TARGET_RECORD_CORRUPT',
    message: `read ${path}: it is not a VM record of version 1`,
  });
}
