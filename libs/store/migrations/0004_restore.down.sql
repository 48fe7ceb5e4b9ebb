-- Drops plans, jobs, mounts, ledger and reports with all their rows; tables that were moved aside come back.
DROP TABLE IF EXISTS evidence;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_reports;
--> statement-breakpoint
DROP TABLE IF EXISTS ledger;
--> statement-breakpoint
DROP TABLE IF EXISTS job_events;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_mounts;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_step_attempts;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_steps;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_jobs;
--> statement-breakpoint
DROP TABLE IF EXISTS restore_plans;
--> statement-breakpoint
--? if table legacy_restore_jobs
RENAME TABLE legacy_restore_jobs TO restore_jobs;
--> statement-breakpoint
--? if table legacy_restore_steps
RENAME TABLE legacy_restore_steps TO restore_steps;
--> statement-breakpoint
--? if table legacy_restore_mounts
RENAME TABLE legacy_restore_mounts TO restore_mounts;
