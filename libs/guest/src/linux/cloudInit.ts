import type { CloudInitFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { isYamlList, parseYaml, yamlMember, type YamlValue } from '../network/yaml.ts';

const configFolder = '/etc/cloud/cloud.cfg.d';

/** Configuration files in the order in which cloud-init lets a later one win: cloud.cfg, then cloud.cfg.d by name. */
export async function readCloudConfigs(
  files: GuestFiles,
): Promise<readonly { readonly path: string; readonly config: YamlValue }[]> {
  const names = await listFiles(files, configFolder, '.cfg');
  const found: { path: string; config: YamlValue }[] = [];
  for (const path of ['/etc/cloud/cloud.cfg', ...names.map((name) => `${configFolder}/${name}`)]) {
    const config = parseYaml((await readText(files, path)) ?? '');
    if (config !== null) found.push({ path, config });
  }
  return found;
}

function datasourcesOf(config: YamlValue): readonly string[] | null {
  const list = yamlMember(config, 'datasource_list');
  if (list === null || !isYamlList(list)) return null;
  return list.filter((name) => typeof name === 'string').filter((name) => /^[\w-]{1,40}$/.test(name));
}

/** Reads how cloud-init is set up; null when it is not installed. */
export async function readCloudInit(files: GuestFiles): Promise<CloudInitFacts | null> {
  if ((await files.stat('/usr/bin/cloud-init')) === null) return null;
  let datasources: readonly string[] | null = null;
  let networkDisabled = false;
  for (const { config } of await readCloudConfigs(files)) {
    datasources = datasourcesOf(config) ?? datasources;
    const network = yamlMember(config, 'network');
    if (network !== null) networkDisabled = yamlMember(network, 'config') === 'disabled';
  }
  const disabled = (await files.stat('/etc/cloud/cloud-init.disabled')) !== null;
  return { disabled, datasources, networkDisabled };
}
