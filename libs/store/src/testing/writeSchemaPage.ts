import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describeSchema } from './describeSchema.ts';
import { schemaPage } from './schemaPage.ts';
import { openTestDatabase } from './testDatabase.ts';

// Writes SCHEMA.md anew: `npm run -w libs/store schema-page`.
const test = await openTestDatabase();
try {
  const page = schemaPage(await describeSchema(test.database));
  await writeFile(fileURLToPath(new URL('../../SCHEMA.md', import.meta.url)), page);
} finally {
  await test.close();
}
