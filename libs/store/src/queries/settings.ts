import { eq } from 'drizzle-orm';
import { query } from '../database.ts';
import { settings } from '../schema/index.ts';

/** A stored choice or reference; null when it was never stored. */
export const getSetting = query('get setting', async (session, name: string): Promise<unknown> => {
  const [row] = await session.orm
    .select({ value: settings.value })
    .from(settings)
    .where(eq(settings.name, name));
  return row?.value ?? null;
});

/** Stores a choice or a reference such as `file:/path`. Danger: never key material itself. */
export const putSetting = query(
  'put setting',
  async (
    session,
    params: { readonly name: string; readonly value: unknown; readonly nowMs: number },
  ): Promise<void> => {
    const { name, value, nowMs } = params;
    const values = { value, updatedAt: new Date(nowMs) };
    await session.orm
      .insert(settings)
      .values({ name, ...values })
      .onDuplicateKeyUpdate({ set: values });
  },
);
