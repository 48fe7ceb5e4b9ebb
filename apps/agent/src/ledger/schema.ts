/** Tables of the agent's ledger; `user_version` counts the changes. */
export const ledgerSchema = `
CREATE TABLE IF NOT EXISTS operations (
  op_id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  step_key TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'finished')),
  checkpoint TEXT,
  event_count INTEGER NOT NULL DEFAULT 0,
  result TEXT,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS resources (
  job_id TEXT NOT NULL,
  step_key TEXT NOT NULL,
  resource_key TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('present', 'gone')),
  token TEXT NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (job_id, step_key, resource_key)
) STRICT;
CREATE TABLE IF NOT EXISTS outgoing (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  op_id TEXT NOT NULL,
  type TEXT NOT NULL,
  payload TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fences (
  job_id TEXT NOT NULL,
  step_key TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (job_id, step_key)
) STRICT;
PRAGMA user_version = 1;
`;
