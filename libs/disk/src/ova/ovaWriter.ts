import { createHash, type Hash } from 'node:crypto';
import { AppError } from '@ascend/errors';
import type { ByteOutput } from '../output.ts';
import type { PatchableOutput } from '../outputs/patchableOutput.ts';
import { ovfDescriptor, type OvfDiskFormat, type OvfFile } from './ovfDescriptor.ts';
import { encodeTarHeader, tarPaddingBytes } from './tarHeader.ts';
import { checkVmDescription, fileBaseName, type VmDescription } from './vmDescription.ts';

/*
 * DMTF DSP0243 1.1 (2010-01-12), clause "Distribution": an OVA is a TAR of descriptor, manifest (optional), certificate (optional), and the
 * other files in the order of the References section; manifest and certificate may stand at the end instead. Importers read it as a
 * stream: with the manifest in front they can check each file as it comes. Its digests are known last, but its length is known first
 * (names and digests of fixed length), and so is the most that the descriptor can need. So both get their room at the start and are filled
 * in at the end; the descriptor's rest is white space behind its root element.
 */

/** What to pack. */
export interface OvaWriterParams {
  /** Where the archive grows. The writer finishes or aborts it; when `openOvaWriter` throws, that is still the caller's. */
  readonly output: PatchableOutput;
  readonly vm: VmDescription;
  readonly format: OvfDiskFormat;
  /** Time stamp of the members; default: now. */
  readonly modifiedAt?: Date;
}

/** An archive that is being written, disk by disk. */
export interface OvaWriter {
  /** Names of the members that hold the disks, in order. */
  readonly diskNames: readonly string[];
  /**
   * The output for the file of the next disk, in the order of the description. Its `finish` closes the member; the file is complete only
   * with the archive. Its `abort` removes the archive. @throws {AppError} INTERNAL_BUG - out of order, or the one before is not finished
   */
  openDisk(diskIndex: number): ByteOutput;
  /** Writes descriptor and manifest and gives the archive its final name. Idempotent. @throws {AppError} INTERNAL_BUG, DISK_… of the output */
  finish(): Promise<void>;
  /** Removes what was written. Idempotent. */
  abort(): Promise<void>;
}

interface WrittenFile extends OvfFile {
  readonly sha256: string;
}

const endOfArchive = Buffer.alloc(1024);
const zeroDigest = '0'.repeat(64);

function bug(problem: string): AppError {
  return new AppError({ code: 'INTERNAL_BUG', message: `write appliance: ${problem}` });
}

function manifest(files: readonly { readonly name: string; readonly sha256: string }[]): Buffer {
  return Buffer.from(files.map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`).join(''), 'latin1');
}

class Archive implements OvaWriter {
  readonly #params: OvaWriterParams;
  readonly #names: { readonly ovf: string; readonly mf: string; readonly disks: readonly string[] };
  readonly #modifiedAt: Date;
  readonly #files: WrittenFile[] = [];
  #ovfRoomBytes = 0;
  #ovfOffset = 0;
  #mfOffset = 0;
  #isMemberOpen = false;
  #isFinished = false;

  constructor(params: OvaWriterParams) {
    this.#params = params;
    this.#modifiedAt = params.modifiedAt ?? new Date();
    const base = fileBaseName(params.vm.name);
    this.#names = {
      ovf: `${base}.ovf`,
      mf: `${base}.mf`,
      disks: params.vm.disks.map((_, index) => `${base}-disk${index + 1}.${params.format.extension}`),
    };
  }

  /** Leaves the room for descriptor and manifest. */
  async begin(): Promise<void> {
    const { ovf, mf, disks } = this.#names;
    // No file is longer than this, so no later size needs more digits.
    const longest = disks.map((name) => ({ name, sizeBytes: Number.MAX_SAFE_INTEGER }));
    this.#ovfRoomBytes = this.#descriptor(longest).length;
    this.#ovfOffset = await this.#small(ovf, Buffer.alloc(this.#ovfRoomBytes));
    const empty = [ovf, ...disks].map((name) => ({ name, sha256: zeroDigest }));
    this.#mfOffset = await this.#small(mf, manifest(empty));
  }

  get diskNames(): readonly string[] {
    return this.#names.disks;
  }

  openDisk(diskIndex: number): ByteOutput {
    const name = this.#names.disks[diskIndex];
    if (name === undefined || diskIndex !== this.#files.length || this.#isMemberOpen)
      throw bug(`disk ${diskIndex} is not the next one, or the one before is not finished`);
    this.#isMemberOpen = true;
    const { output } = this.#params;
    const hash = createHash('sha256');
    const headerOffset = output.lengthBytes;
    let sizeBytes = 0;
    let isHeaderWritten = false;
    let isClosed = false;
    const begin = async (): Promise<void> => {
      if (isHeaderWritten) return;
      isHeaderWritten = true;
      await output.write(this.#header(name, 0));
    };
    return {
      write: async (data) => {
        await begin();
        hash.update(data);
        sizeBytes += data.length;
        await output.write(data);
      },
      finish: async () => {
        if (isClosed) return;
        await begin();
        await this.#closeMember({ name, sizeBytes, headerOffset, hash });
        isClosed = true;
      },
      abort: async () => {
        if (!isClosed) await this.abort();
      },
    };
  }

  async finish(): Promise<void> {
    if (this.#isFinished) return;
    const { output } = this.#params;
    if (this.#isMemberOpen || this.#files.length !== this.#names.disks.length)
      throw bug(`only ${this.#files.length} of ${this.#names.disks.length} disks are complete`);
    const text = this.#descriptor(this.#files);
    const ovf = Buffer.concat([text, Buffer.alloc(this.#ovfRoomBytes - text.length, '\n')]);
    const sha256 = createHash('sha256').update(ovf).digest('hex');
    await output.patch(this.#ovfOffset, ovf);
    await output.patch(this.#mfOffset, manifest([{ name: this.#names.ovf, sha256 }, ...this.#files]));
    await output.write(endOfArchive);
    await output.finish();
    this.#isFinished = true;
  }

  async abort(): Promise<void> {
    if (!this.#isFinished) await this.#params.output.abort();
  }

  #descriptor(files: readonly OvfFile[]): Buffer {
    return Buffer.from(ovfDescriptor(this.#params.vm, files, this.#params.format), 'utf8');
  }

  #header(name: string, sizeBytes: number): Buffer {
    return encodeTarHeader({ name, sizeBytes, modifiedAt: this.#modifiedAt });
  }

  /** A member that is known; returns where its bytes begin. */
  async #small(name: string, bytes: Buffer): Promise<number> {
    const { output } = this.#params;
    await output.write(this.#header(name, bytes.length));
    const offset = output.lengthBytes;
    await output.write(bytes);
    await output.write(Buffer.alloc(tarPaddingBytes(bytes.length)));
    return offset;
  }

  async #closeMember(member: {
    readonly name: string;
    readonly sizeBytes: number;
    readonly headerOffset: number;
    readonly hash: Hash;
  }): Promise<void> {
    const { output } = this.#params;
    const { name, sizeBytes } = member;
    await output.write(Buffer.alloc(tarPaddingBytes(sizeBytes)));
    await output.patch(member.headerOffset, this.#header(name, sizeBytes));
    this.#files.push({ name, sizeBytes, sha256: member.hash.digest('hex') });
    this.#isMemberOpen = false;
  }
}

/**
 * Begins an appliance in one file (OVA): descriptor, manifest with SHA-256, disks. Nothing is staged: each disk is written once, by an
 * encoder onto the output that `openDisk` gives.
 *
 * @throws {AppError} DISK_OVF_INVALID, and what the output throws
 */
export async function openOvaWriter(params: OvaWriterParams): Promise<OvaWriter> {
  checkVmDescription(params.vm);
  const archive = new Archive(params);
  await archive.begin();
  return archive;
}
