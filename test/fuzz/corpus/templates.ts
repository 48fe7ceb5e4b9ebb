import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeImage, qemuImg, withTempFolder, type ImageWrite } from '@ascend/disk/testing';
import type { Template } from './brokenImage.ts';

const kib = 1024;
const mib = 1024 * kib;

/** Size of every valid disk that the corpus is made from. */
export const diskBytes = 8 * mib;

const writes: readonly ImageWrite[] = [
  { offsetBytes: 0, lengthBytes: 300 * kib, fill: 1 },
  { offsetBytes: mib, lengthBytes: 70 * kib, fill: 2 },
  { offsetBytes: 3 * mib + 512, lengthBytes: 512, fill: 3 },
  { offsetBytes: 4 * mib, lengthBytes: 256 * kib, fill: 4 },
  { offsetBytes: 5 * mib, lengthBytes: 64 * kib, fill: 'zero' },
];

interface Recipe {
  readonly name: string;
  readonly fileName: string;
  readonly driver: string;
  readonly options?: string;
  /** Converted with compression instead of written in place. */
  readonly compressed?: boolean;
}

const recipes = {
  qcow2: { name: 'a QCOW2', fileName: 'disk.qcow2', driver: 'qcow2', options: 'cluster_size=4k' },
  qcow2v2: {
    name: 'a QCOW2 of version 2',
    fileName: 'disk.qcow2',
    driver: 'qcow2',
    options: 'compat=0.10,cluster_size=4k',
  },
  extendedL2: {
    name: 'a QCOW2 with subclusters',
    fileName: 'disk.qcow2',
    driver: 'qcow2',
    options: 'cluster_size=16k,extended_l2=on',
  },
  compressed: {
    name: 'a compressed QCOW2',
    fileName: 'disk.qcow2',
    driver: 'qcow2',
    options: 'cluster_size=16k',
    compressed: true,
  },
  zstd: {
    name: 'a QCOW2 with zstd',
    fileName: 'disk.qcow2',
    driver: 'qcow2',
    options: 'cluster_size=16k,compression_type=zstd',
    compressed: true,
  },
  vhd: { name: 'a dynamic VHD', fileName: 'disk.vhd', driver: 'vpc', options: 'force_size=on' },
  vhdFixed: {
    name: 'a fixed VHD',
    fileName: 'disk.vhd',
    driver: 'vpc',
    options: 'subformat=fixed,force_size=on',
  },
  vhdx: { name: 'a VHDX', fileName: 'disk.vhdx', driver: 'vhdx', options: 'block_size=1M' },
  vmdk: { name: 'a sparse VMDK', fileName: 'disk.vmdk', driver: 'vmdk' },
  vmdkStream: {
    name: 'a streamOptimized VMDK',
    fileName: 'disk.vmdk',
    driver: 'vmdk',
    options: 'subformat=streamOptimized',
    compressed: true,
  },
  raw: { name: 'a raw disk', fileName: 'disk.raw', driver: 'raw' },
} as const satisfies Readonly<Record<string, Recipe>>;

/** Names of the valid images. */
export type TemplateName = keyof typeof recipes;

/** All valid images that the corpus is made from. */
export type Templates = Readonly<Record<TemplateName, Template>>;

async function makeTemplate(recipe: Recipe): Promise<Template> {
  return await withTempFolder(async (folder) => {
    const file = path.join(folder, recipe.fileName);
    const options = recipe.options === undefined ? {} : { options: recipe.options };
    if (recipe.compressed === true) {
      const plain = path.join(folder, 'plain.raw');
      await makeImage({ path: plain, format: 'raw', sizeBytes: diskBytes, writes });
      const target = recipe.options === undefined ? [] : ['-o', recipe.options];
      const compress = recipe.driver === 'qcow2' ? ['-c'] : [];
      await qemuImg('convert', ...compress, '-f', 'raw', '-O', recipe.driver, ...target, plain, file);
    } else {
      await makeImage({ path: file, format: recipe.driver, sizeBytes: diskBytes, writes, ...options });
    }
    return { name: recipe.name, fileName: recipe.fileName, bytes: await readFile(file) };
  });
}

/** Makes one small valid image of each kind; the bytes are the same in every run but for times and identifiers. */
export async function makeTemplates(): Promise<Templates> {
  return {
    qcow2: await makeTemplate(recipes.qcow2),
    qcow2v2: await makeTemplate(recipes.qcow2v2),
    extendedL2: await makeTemplate(recipes.extendedL2),
    compressed: await makeTemplate(recipes.compressed),
    zstd: await makeTemplate(recipes.zstd),
    vhd: await makeTemplate(recipes.vhd),
    vhdFixed: await makeTemplate(recipes.vhdFixed),
    vhdx: await makeTemplate(recipes.vhdx),
    vmdk: await makeTemplate(recipes.vmdk),
    vmdkStream: await makeTemplate(recipes.vmdkStream),
    raw: await makeTemplate(recipes.raw),
  };
}
