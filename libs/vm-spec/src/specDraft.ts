import type { Finding, Firmware, VmDevice, VmSpec } from '@ascend/domain';
import { maxDevices, maxDisks, maxNics, maxTags } from './limits.ts';
import { shown, specFinding } from './specFinding.ts';

/** A disk as a reader found it: nothing is checked yet. */
export interface DraftDisk {
  readonly sizeBytes: number | null;
  readonly bus: string | null;
  readonly controller?: string | null;
  readonly sourceName?: string | null;
  readonly bootOrder?: number | null;
  readonly vmwareDiskKey?: number | null;
}

/** An interface as a reader found it. */
export interface DraftNic {
  /** In any usual notation. */
  readonly mac: string | null;
  readonly network: string | null;
  readonly model: string | null;
  readonly addresses?: readonly string[];
}

/** What a reader found; null = the document does not tell. */
export interface SpecDraft {
  readonly name: string | null;
  readonly cpuCount: number | null;
  readonly coresPerSocket?: number | null;
  readonly memoryBytes: number | null;
  readonly firmware: Firmware | null;
  readonly secureBoot?: boolean | null;
  readonly tpm?: boolean | null;
  /** In disk order: the n-th is disk n of the backup. */
  readonly disks: readonly DraftDisk[];
  readonly nics: readonly DraftNic[];
  readonly osId?: string | null;
  readonly notes?: string | null;
  readonly tags?: Readonly<Record<string, string>>;
  readonly cpuArch?: string | null;
  readonly clock?: 'utc' | 'local-time' | null;
  readonly devices?: readonly VmDevice[];
}

const defaultCpus = 2;
const defaultMemoryBytes = 4 * 1024 ** 3;
const leastMemoryBytes = 1024 ** 2;

/** Lower case with colons; null when the text is no MAC address, or one that no interface can have. */
export function normalMac(text: string | null): string | null {
  const digits = text?.toLowerCase().replaceAll(/[:.\-\s]/g, '') ?? '';
  if (!/^[0-9a-f]{12}$/.test(digits) || digits === '0'.repeat(12) || digits === 'f'.repeat(12)) return null;
  return digits.replaceAll(/(..)(?!$)/g, '$1:');
}

class Checks {
  readonly findings: Finding[] = [];

  warn(
    code: 'SPEC_VALUE_INVALID' | 'SPEC_VALUE_MISSING',
    subject: string,
    message: string,
    evidence = '',
  ): void {
    this.findings.push(specFinding(code, 'warning', { subject, message, evidence }));
  }

  /** A whole number within bounds, or the default with a finding. */
  whole(
    value: number | null | undefined,
    bounds: { what: string; min: number; max: number; otherwise: number },
  ): number {
    const { what, min, max, otherwise } = bounds;
    if (value === null || value === undefined) {
      this.warn('SPEC_VALUE_MISSING', 'backup', `the metadata tells no ${what}; ${otherwise} is taken`);
      return otherwise;
    }
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    this.warn('SPEC_VALUE_INVALID', 'backup', `${what} ${value} is impossible; ${otherwise} is taken`);
    return otherwise;
  }

  text(value: string | null | undefined, what: string, limit: number): string | null {
    // Control characters have no place in names, and reach terminals.
    const plain = value?.replaceAll(/(?![\n\t])\p{Cc}/gu, '').trim() ?? '';
    if (plain === '') return null;
    if (plain.length <= limit) return plain;
    this.warn(
      'SPEC_VALUE_INVALID',
      'backup',
      `${what} has ${plain.length} characters; it is cut after ${limit}`,
    );
    return plain.slice(0, limit);
  }

  first<T>(list: readonly T[], what: string, limit: number): readonly T[] {
    if (list.length <= limit) return list;
    this.warn('SPEC_VALUE_INVALID', 'backup', `${list.length} ${what}; those after ${limit} are left out`);
    return list.slice(0, limit);
  }
}

function disksOf(draft: SpecDraft, checks: Checks): VmSpec['disks'] {
  return checks.first(draft.disks, 'disks', maxDisks).map((disk, diskIndex) => {
    const { sizeBytes } = disk;
    const isSize = sizeBytes !== null && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0;
    if (sizeBytes === null) {
      checks.warn(
        'SPEC_VALUE_MISSING',
        `disk:${diskIndex}`,
        `the metadata tells no size of disk ${diskIndex}; the backup's counts`,
      );
    } else if (!isSize) {
      checks.warn(
        'SPEC_VALUE_INVALID',
        `disk:${diskIndex}`,
        `size ${sizeBytes} of disk ${diskIndex} is impossible; the backup's counts`,
      );
    }
    const order = disk.bootOrder ?? null;
    const key = disk.vmwareDiskKey ?? null;
    return {
      diskIndex,
      sizeBytes: isSize ? sizeBytes : 0,
      bus: checks.text(disk.bus, `bus of disk ${diskIndex}`, 255),
      bootOrder: Number.isSafeInteger(order) ? order : null,
      vmwareDiskKey: Number.isSafeInteger(key) ? key : null,
      controller: checks.text(disk.controller, `controller of disk ${diskIndex}`, 255),
      sourceName: checks.text(disk.sourceName, `name of disk ${diskIndex}`, 4096),
    };
  });
}

function nicsOf(draft: SpecDraft, checks: Checks): VmSpec['nics'] {
  return checks.first(draft.nics, 'network interfaces', maxNics).map((nic, nicIndex) => {
    const mac = normalMac(nic.mac);
    if (nic.mac !== null && mac === null) {
      checks.warn(
        'SPEC_VALUE_INVALID',
        `nic:${nicIndex}`,
        `nic ${nicIndex} has no legal MAC address`,
        nic.mac,
      );
    }
    return {
      nicIndex,
      mac,
      network: checks.text(nic.network, `network of nic ${nicIndex}`, 255),
      model: checks.text(nic.model, `model of nic ${nicIndex}`, 255),
      addresses: (nic.addresses ?? []).filter((address) => address.length <= 64).slice(0, 256),
    };
  });
}

function tagsOf(draft: SpecDraft, checks: Checks): Record<string, string> {
  const pairs = checks.first(Object.entries(draft.tags ?? {}), 'tags', maxTags);
  return Object.fromEntries(
    pairs.flatMap(([key, value]) => {
      const name = checks.text(key, 'a tag name', 256);
      return name === null ? [] : [[name, checks.text(value, `tag ${shown(name)}`, 1024) ?? '']];
    }),
  );
}

function cpusOf(draft: SpecDraft, checks: Checks): Pick<VmSpec, 'cpuCount' | 'coresPerSocket'> {
  const cpuCount = checks.whole(draft.cpuCount, {
    what: 'number of CPUs',
    min: 1,
    max: 4096,
    otherwise: defaultCpus,
  });
  const cores = draft.coresPerSocket ?? null;
  if (cores === null) return { cpuCount, coresPerSocket: null };
  if (Number.isSafeInteger(cores) && cores >= 1 && cpuCount % cores === 0)
    return { cpuCount, coresPerSocket: cores };
  checks.warn(
    'SPEC_VALUE_INVALID',
    'backup',
    `${cores} cores per socket do not divide ${cpuCount} CPUs; sockets are left to the target`,
  );
  return { cpuCount, coresPerSocket: null };
}

/**
 * Makes a specification of what a reader found: every value is within the bounds of `vmSpecSchema`; what is impossible is left out and
 * what a restore needs gets a default, each with a finding. Pure; never throws.
 */
export function finishSpec(draft: SpecDraft): {
  readonly spec: VmSpec;
  readonly findings: readonly Finding[];
} {
  const checks = new Checks();
  const name = checks.text(draft.name, 'the name', 255);
  if (name === null)
    checks.warn('SPEC_VALUE_MISSING', 'backup', 'the metadata tells no name; "unnamed" is taken');
  if (draft.firmware === null) {
    checks.warn(
      'SPEC_VALUE_MISSING',
      'backup',
      'the metadata tells no firmware; bios is taken unless the disks show another',
    );
  }
  const memory = {
    what: 'memory size',
    min: leastMemoryBytes,
    max: Number.MAX_SAFE_INTEGER,
    otherwise: defaultMemoryBytes,
  };
  const spec: VmSpec = {
    name: name ?? 'unnamed',
    ...cpusOf(draft, checks),
    memoryBytes: checks.whole(draft.memoryBytes, memory),
    firmware: draft.firmware ?? 'bios',
    secureBoot: draft.secureBoot ?? false,
    tpm: draft.tpm ?? false,
    disks: disksOf(draft, checks),
    nics: nicsOf(draft, checks),
    osId: checks.text(draft.osId, 'the name of the system', 255),
    notes: checks.text(draft.notes, 'the notes', 4096),
    tags: tagsOf(draft, checks),
    cpuArch: checks.text(draft.cpuArch, 'the architecture', 32),
    clock: draft.clock ?? null,
    devices: checks.first(draft.devices ?? [], 'devices', maxDevices).map(({ kind, description }) => ({
      kind,
      description: checks.text(description, `a device (${kind})`, 1024) ?? kind,
    })),
  };
  return { spec, findings: checks.findings };
}
