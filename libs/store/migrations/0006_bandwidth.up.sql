-- Bandwidth caps that operators set: per restore (each disk stream) and per agent (all its transfers together).
-- A revision of 0 means that nobody set one: the plan's policy, or the agent's own settings, count.
--? unless column restore_jobs.bandwidth_revision
ALTER TABLE restore_jobs
  ADD COLUMN bandwidth_bytes_per_second BIGINT NULL COMMENT 'of each disk stream; NULL = no cap',
  ADD COLUMN bandwidth_revision BIGINT NOT NULL DEFAULT 0 COMMENT 'ms since the epoch, raised by each change; 0 = as planned';
--> statement-breakpoint
--? unless column agents.bandwidth_revision
ALTER TABLE agents
  ADD COLUMN configured_bandwidth BIGINT NULL COMMENT 'of its own settings, as its last sign of life told',
  ADD COLUMN bandwidth_bytes_per_second BIGINT NULL COMMENT 'of all transfers together; NULL = no cap',
  ADD COLUMN bandwidth_revision BIGINT NOT NULL DEFAULT 0 COMMENT 'ms since the epoch, raised by each change; 0 = as configured';
