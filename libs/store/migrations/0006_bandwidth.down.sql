-- Drops the caps that operators set; plans and agents' settings count again.
--? if column agents.bandwidth_revision
ALTER TABLE agents
  DROP COLUMN bandwidth_revision,
  DROP COLUMN bandwidth_bytes_per_second,
  DROP COLUMN configured_bandwidth;
--> statement-breakpoint
--? if column restore_jobs.bandwidth_revision
ALTER TABLE restore_jobs
  DROP COLUMN bandwidth_revision,
  DROP COLUMN bandwidth_bytes_per_second;
