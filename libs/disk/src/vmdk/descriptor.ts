import { randomInt } from 'node:crypto';
import { descriptorSectors, sectorBytes } from './sparseExtent.ts';

/** Disk adapters a descriptor can name. A paravirtual SCSI adapter is written as `lsilogic` too. */
export type VmdkAdapterType = 'lsilogic' | 'buslogic' | 'ide' | 'legacyESX';

/** What the embedded text descriptor says. */
export interface DescriptorParams {
  readonly createType: 'monolithicSparse' | 'streamOptimized';
  readonly capacitySectors: number;
  /** File name of the extent; what a descriptor cannot carry is replaced. */
  readonly extentName: string;
  /** Content id, 32 bits. Default: random. */
  readonly contentId?: number;
  readonly adapterType?: VmdkAdapterType;
  /** Default 4, which every product accepts. */
  readonly hardwareVersion?: number;
}

// Programs take 0xffffffff for "no parent" and 0xfffffffe for "all zeros" (open-vmdk sparse.c, October 2025).
const firstReservedId = 0xffff_fffe;
const maxNameLength = 128;

/** The extent line is one line with the name in quotes; readers follow a path in it. */
function safeName(name: string): string {
  const safe = name.replaceAll(/[^\w .()+@-]/g, '_').slice(-maxNameLength);
  return /[^.]/.test(safe) ? safe : 'disk.vmdk';
}

interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** The geometry as VMware and QEMU write it; guests with logical block addressing ignore it. */
function geometryOf(capacitySectors: number, adapterType: VmdkAdapterType): Geometry {
  const [heads, maxCylinders] = adapterType === 'ide' ? [16, 16_383] : [255, 65_535];
  const sectors = 63;
  return {
    cylinders: Math.min(maxCylinders, Math.ceil(capacitySectors / (heads * sectors))),
    heads,
    sectors,
  };
}

/** The text descriptor, padded with zeros to its room. Lines are not indented: VirtualBox refuses that. */
export function encodeDescriptor(params: DescriptorParams): Buffer {
  const { adapterType = 'lsilogic', contentId = randomInt(firstReservedId), hardwareVersion = 4 } = params;
  const geometry = geometryOf(params.capacitySectors, adapterType);
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    `CID=${contentId.toString(16).padStart(8, '0')}`,
    'parentCID=ffffffff',
    `createType="${params.createType}"`,
    '',
    '# Extent description',
    `RW ${params.capacitySectors} SPARSE "${safeName(params.extentName)}"`,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    `ddb.virtualHWVersion = "${hardwareVersion}"`,
    `ddb.geometry.cylinders = "${geometry.cylinders}"`,
    `ddb.geometry.heads = "${geometry.heads}"`,
    `ddb.geometry.sectors = "${geometry.sectors}"`,
    `ddb.adapterType = "${adapterType}"`,
    '',
  ];
  const room = Buffer.alloc(descriptorSectors * sectorBytes);
  room.write(lines.join('\n'), 'latin1');
  return room;
}
