import { writeFile } from 'node:fs/promises';
import { errorCatalogue } from './errorCodes.ts';

await writeFile(new URL('../../libs/errors/CATALOGUE.md', import.meta.url), errorCatalogue());
