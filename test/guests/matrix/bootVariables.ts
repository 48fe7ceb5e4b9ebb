import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { matrixSizes, matrixUuids } from './matrixGuest.ts';
import { firstPartitionBytes } from './partitions.ts';

// The template that belongs to the firmware a machine gets, first found first taken.
const templates = ['/usr/share/OVMF/OVMF_VARS_4M.fd', '/usr/share/OVMF/OVMF_VARS.fd'];
const sectorBytes = 512;
/** Header of the firmware volume (72 bytes) and of the variable store (28): the first variable of an empty store. */
const firstVariableOffset = 72 + 28;
const globalVariables = '8BE4DF61-93CA-11D2-AA0D-00E098032B8C';
/** Kept over restarts, visible to firmware and system. */
const variableAttributes = 7;

function guidBytes(text: string): Buffer {
  const [first = '', second = '', third = '', ...rest] = text.split('-');
  const swapped = [first, second, third].map((part) => Buffer.from(Buffer.from(part, 'hex').toReversed()));
  return Buffer.concat([...swapped, Buffer.from(rest.join(''), 'hex')]);
}

function text16(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le');
}

/** The short device path of a program on the EFI system partition (UEFI specification 2.10, §10.3.5). */
function filePath(program: string): Buffer {
  const drive = Buffer.alloc(42);
  drive.set([4, 1, 42, 0]);
  drive.writeUInt32LE(1, 4);
  drive.writeBigUInt64LE(BigInt(firstPartitionBytes / sectorBytes), 8);
  drive.writeBigUInt64LE(BigInt(matrixSizes.efi / sectorBytes), 16);
  guidBytes(matrixUuids.efiPartition).copy(drive, 24);
  drive.set([2, 2], 40);
  const name = text16(program);
  const head = Buffer.from([4, 4, 0, 0]);
  head.writeUInt16LE(4 + name.length, 2);
  return Buffer.concat([drive, head, name, Buffer.from([0x7f, 0xff, 4, 0])]);
}

function loadOption(title: string, program: string): Buffer {
  const path = filePath(program);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(1);
  head.writeUInt16LE(path.length, 4);
  return Buffer.concat([head, text16(title), path]);
}

/** One entry of an authenticated variable store (EDK II, AUTHENTICATED_VARIABLE_HEADER), padded to 4 bytes. */
function variable(name: string, data: Buffer): Buffer {
  const nameBytes = text16(name);
  const head = Buffer.alloc(60);
  head.writeUInt16LE(0x55aa);
  head.writeUInt8(0x3f, 2);
  head.writeUInt32LE(variableAttributes, 4);
  head.writeUInt32LE(nameBytes.length, 36);
  head.writeUInt32LE(data.length, 40);
  guidBytes(globalVariables).copy(head, 44);
  const entry = Buffer.concat([head, nameBytes, data]);
  return Buffer.concat([entry, Buffer.alloc(-entry.length & 3, 0xff)]);
}

async function readTemplate(): Promise<Buffer> {
  for (const path of templates) {
    const content = await readFile(path).catch(() => null);
    if (content !== null) return content;
  }
  throw new Error(`no firmware variables at ${templates.join(' or ')}`);
}

/** The variables of the machine a UEFI guest comes from: one boot entry, as an installation leaves it, for `EFI/debian`. */
export async function writeBootVariables(stateDir: string): Promise<void> {
  const content = await readTemplate();
  const order = Buffer.from([1, 0]);
  const entries = Buffer.concat([
    variable('Boot0001', loadOption('debian', String.raw`\EFI\debian\grubx64.efi`)),
    variable('BootOrder', order),
  ]);
  const place = content.subarray(firstVariableOffset, firstVariableOffset + entries.length);
  if (!place.every((byte) => byte === 0xff))
    throw new Error('the template of the firmware variables is not empty');
  entries.copy(content, firstVariableOffset);
  await writeFile(join(stateDir, 'vars.fd'), content, { mode: 0o600 });
}
