import type { ApplianceProcess } from './applianceProcess.ts';
import { parseLines, parseRecord, shownText } from './fishOutput.ts';

/** A guest with more of them is looked at in part. */
const maxDevices = 256;

/** Names of devices as libguestfs gives them; what else a hostile volume group could be called is left out. */
const deviceName = /^\/dev\/[\w+.-]+(?:\/[\w+.-]+)?$/;

/** True for the name of a block device that can stand in a command. */
export function isDeviceName(name: string): boolean {
  return deviceName.test(name) && !name.split('/').includes('..');
}

/** What blkid says of a device; the type is empty when it knows none. */
interface DeviceContent {
  readonly type: string;
  readonly label: string | null;
  readonly uuid: string | null;
}

/** Names of the devices in the appliance. */
interface DeviceNames {
  /** Everything that may hold a file system or a container: disks, partitions, arrays, logical volumes, mapped devices. */
  readonly all: readonly string[];
  readonly arrays: readonly string[];
  readonly logicalVolumes: readonly string[];
}

/** The devices of an appliance. A question costs a program there, seconds on a busy machine, so each is asked once. */
export interface BlockDevices {
  names(): Promise<DeviceNames>;
  content(device: string): Promise<DeviceContent>;
  /** null: it cannot be told, as for a thin pool. */
  sizeBytes(device: string): Promise<number | null>;
  /** To be called when devices may have come: the names are asked for again. */
  refresh(): void;
}

async function listDevices(process: ApplianceProcess, command: string): Promise<readonly string[]> {
  const { stdout, error } = await process.tryAsk(command, []);
  return error === null ? parseLines(stdout.toString('utf8')).filter(isDeviceName) : [];
}

async function askNames(process: ApplianceProcess): Promise<DeviceNames> {
  const disks = await listDevices(process, 'list-devices');
  const partitions = await listDevices(process, 'list-partitions');
  const arrays = await listDevices(process, 'list-md-devices');
  const logicalVolumes = await listDevices(process, 'lvs');
  const mapped = await listDevices(process, 'list-dm-devices');
  const all = new Set([...disks, ...partitions, ...arrays, ...logicalVolumes, ...mapped]);
  return { all: [...all].slice(0, maxDevices), arrays, logicalVolumes };
}

function textOrNull(text: string | undefined): string | null {
  const shown = shownText(text ?? '');
  return shown === '' ? null : shown;
}

async function askContent(process: ApplianceProcess, device: string): Promise<DeviceContent> {
  const { stdout, error } = await process.tryAsk('blkid', [device]);
  const fields = parseRecord(error === null ? stdout.toString('utf8') : '');
  const type = fields.get('TYPE') ?? '';
  return {
    type: /^[\w.-]{1,32}$/.test(type) ? type : '',
    label: textOrNull(fields.get('LABEL')),
    uuid: textOrNull(fields.get('UUID')),
  };
}

async function askSize(process: ApplianceProcess, device: string): Promise<number | null> {
  const { stdout, error } = await process.tryAsk('blockdev-getsize64', [device]);
  const text = stdout.toString('latin1').trim();
  const bytes = Number(text);
  return error === null && text !== '' && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : null;
}

function remembered<T>(ask: (device: string) => Promise<T>): (device: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (device) => {
    const answer = known.get(device) ?? ask(device);
    known.set(device, answer);
    return answer;
  };
}

/** The devices of a running appliance, asked for once each. */
export function blockDevices(process: ApplianceProcess): BlockDevices {
  let names: Promise<DeviceNames> | null = null;
  return {
    names: () => (names ??= askNames(process)),
    content: remembered((device) => askContent(process, device)),
    sizeBytes: remembered((device) => askSize(process, device)),
    refresh: () => {
      names = null;
    },
  };
}
