-- Drops the catalogue; tables that were moved aside get their names back. The children of these tables
-- (0003_restore) are gone already.
DROP TABLE IF EXISTS restore_point_facts;
--> statement-breakpoint
DROP TABLE IF EXISTS backup_vm_specs;
--> statement-breakpoint
DROP TABLE IF EXISTS backup_chains;
--> statement-breakpoint
DROP TABLE IF EXISTS backup_disks;
--> statement-breakpoint
DROP TABLE IF EXISTS backup_jobs;
--> statement-breakpoint
DROP TABLE IF EXISTS vm_backup_contexts;
--> statement-breakpoint
DROP TABLE IF EXISTS repository_roots;
--> statement-breakpoint
DROP TABLE IF EXISTS backup_repositories;
--> statement-breakpoint
DROP TABLE IF EXISTS sites;
--> statement-breakpoint
--? if table legacy_backup_repositories
RENAME TABLE legacy_backup_repositories TO backup_repositories;
--> statement-breakpoint
--? if table legacy_vm_backup_contexts
RENAME TABLE legacy_vm_backup_contexts TO vm_backup_contexts;
--> statement-breakpoint
--? if table legacy_backup_jobs
RENAME TABLE legacy_backup_jobs TO backup_jobs;
--> statement-breakpoint
--? if table legacy_backup_disks
RENAME TABLE legacy_backup_disks TO backup_disks;
--> statement-breakpoint
--? if table legacy_backup_chains
RENAME TABLE legacy_backup_chains TO backup_chains;
