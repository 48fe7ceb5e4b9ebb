import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';

/** What a package of a test says about itself. */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** Builds a Debian package with nothing in it by dpkg-deb, as `<folder>/<file>`; returns its path. */
export async function buildDeb(
  folder: string,
  file: string,
  about: BuiltPackage,
  compression: 'gzip' | 'xz' | 'zstd' = 'xz',
): Promise<string> {
  const tree = join(folder, `${file}.tree`);
  const path = join(folder, file);
  await mkdir(join(tree, 'DEBIAN'), { recursive: true });
  const control = `Package: ${about.name}\nVersion: ${about.version}\nArchitecture: ${about.architecture}\nMaintainer: Test <test@example.org>\nDescription: made for tests\n`;
  await writeFile(join(tree, 'DEBIAN/control'), control);
  await runProcess({
    program: 'dpkg-deb',
    args: ['--root-owner-group', `-Z${compression}`, '-b', tree, path],
  });
  return path;
}

/** Builds an RPM package with nothing in it by rpmbuild, as `<folder>/<file>`; returns its path. */
export async function buildRpm(
  folder: string,
  file: string,
  about: BuiltPackage & { readonly release: string },
): Promise<string> {
  const top = join(folder, `${file}.top`);
  await mkdir(top, { recursive: true });
  const spec = join(top, 'package.spec');
  const lines = [
    `Name: ${about.name}`,
    `Version: ${about.version}`,
    `Release: ${about.release}`,
    'Summary: made for tests',
    'License: none',
    '%description',
    'made for tests',
    '%files',
    '',
  ];
  await writeFile(spec, lines.join('\n'));
  const target = `${about.architecture}-linux`;
  await runProcess({
    program: 'rpmbuild',
    args: ['-bb', '--target', target, '--define', `_topdir ${top}`, spec],
  });
  const built = join(
    top,
    'RPMS',
    about.architecture,
    `${about.name}-${about.version}-${about.release}.${about.architecture}.rpm`,
  );
  await rename(built, join(folder, file));
  return join(folder, file);
}
