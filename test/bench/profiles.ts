import { readFile } from 'node:fs/promises';

/** What is known about why a figure is not reached: kept by hand beside the results, with the profile that shows it. */
export async function readProfiles(): Promise<string> {
  const file = new URL('PROFILES.md', import.meta.url);
  return await readFile(file, 'utf8');
}
