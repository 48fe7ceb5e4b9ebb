import { platformIds } from '@ascend/domain';
import { lineAt } from './sourceText.ts';
import type { SourceFile, Violation } from './sourceTree.ts';

/** Platform ids and the product names that mean the same. */
const platformWords = new Set<string>([...platformIds, 'vsphere', 'vcenter', 'esxi', 'ec2', 'ahv']);

/** Columns of the seeds, and the probe of the kernel's module that shares its name with a platform. */
const allowedIdentifiers = new Set([
  'vmwareDiskKey',
  'vmware_disk_key',
  'vmwareVmId',
  'vmware_vm_id',
  'vcenterHost',
  'vcenter_host',
  'kvmWorks',
  'kvm_works',
]);

/** Folders and files that may name platforms: each its own, the id union, the lists of the apps. Tests and comments are free. */
const allowedPlaces = [
  /^libs\/platform-[^/]+\//,
  /^libs\/domain\/src\/platform\.ts$/,
  /^apps\/[^/]+\/src\/registry\.ts$/,
];

/** Names that others gave: a package of the registry, and the XML namespaces and format names of OVF. */
const givenNames = /@aws-sdk\/client-s3|http:\/\/www\.vmware\.com\//g;

/** Words of an identifier: `hypervHost`, `hyper_v-host` and `HYPERVHost` all hold `hyperv`. */
function wordsOf(identifier: string): readonly string[] {
  const parts = identifier
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[\s_$-]+/);
  const pairs = parts.slice(1).map((part, index) => `${parts[index]}${part}`);
  return [...parts, ...pairs];
}

/** Beside `tcg` or `accel…` the word means the kernel's accelerator, which every QEMU host has an opinion on. */
function meansAccelerator(word: string, line: string): boolean {
  return word === 'kvm' && /tcg|accel/i.test(line);
}

/** Platform names outside their places. */
export function checkPlatformNames(files: readonly SourceFile[]): readonly Violation[] {
  return files
    .filter((file) => !file.isTest && !allowedPlaces.some((place) => place.test(file.path)))
    .flatMap((file) => {
      const code = file.code.replaceAll(givenNames, (name) => ' '.repeat(name.length));
      const lines = code.split('\n');
      return [...code.matchAll(/[A-Za-z][\w$-]*/g)].flatMap((match) => {
        const [identifier] = match;
        if (allowedIdentifiers.has(identifier)) return [];
        const line = lineAt(file.text, match.index);
        const word = wordsOf(identifier).find((candidate) => platformWords.has(candidate));
        if (word === undefined || meansAccelerator(word, lines[line - 1] ?? '')) return [];
        return [{ path: file.path, line, message: `${identifier} names platform ${word}` }];
      });
    });
}
