-- Sites, repositories and the backup catalogue.
--
-- A database that already holds catalogue tables keeps them: they are moved to legacy_<name> first and their rows are
-- copied into the new tables. Both forms are read: the one with a file per backup_jobs row (vm_context_id,
-- repository_path, disk_id, change_id) and the one with backup_disks. The legacy tables are never written again but
-- for columns they lack; the down script gives them their names back.
--
-- Lines that begin with "--?" are conditions of the statement below them: if|unless table T, column T.C, index T.I.

--? if table vm_backup_contexts
--? unless table legacy_vm_backup_contexts
RENAME TABLE vm_backup_contexts TO legacy_vm_backup_contexts;
--> statement-breakpoint
--? if table backup_jobs
--? unless table legacy_backup_jobs
RENAME TABLE backup_jobs TO legacy_backup_jobs;
--> statement-breakpoint
--? if table backup_disks
--? unless table legacy_backup_disks
RENAME TABLE backup_disks TO legacy_backup_disks;
--> statement-breakpoint
--? if table backup_chains
--? unless table legacy_backup_chains
RENAME TABLE backup_chains TO legacy_backup_chains;
--> statement-breakpoint
--? if table backup_repositories
--? unless table legacy_backup_repositories
RENAME TABLE backup_repositories TO legacy_backup_repositories;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS sites (
  id VARCHAR(63) NOT NULL,
  name VARCHAR(255) NOT NULL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS backup_repositories (
  id VARCHAR(64) NOT NULL,
  name VARCHAR(255) NOT NULL,
  type VARCHAR(32) NOT NULL DEFAULT 'local',
  site_id VARCHAR(63) NULL,
  created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY idx_site (site_id),
  CONSTRAINT backup_repositories_site_fk FOREIGN KEY (site_id) REFERENCES sites (id) ON DELETE SET NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS repository_roots (
  repository_id VARCHAR(64) NOT NULL,
  agent_id VARCHAR(63) NOT NULL,
  root_path VARCHAR(512) NOT NULL,
  PRIMARY KEY (repository_id, agent_id),
  KEY idx_agent (agent_id),
  CONSTRAINT repository_roots_repository_fk FOREIGN KEY (repository_id) REFERENCES backup_repositories (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS vm_backup_contexts (
  context_id VARCHAR(64) NOT NULL,
  vm_name VARCHAR(255) NOT NULL,
  vmware_vm_id VARCHAR(255) NULL,
  vm_path VARCHAR(500) NULL,
  vcenter_host VARCHAR(255) NULL,
  datacenter VARCHAR(255) NULL,
  repository_id VARCHAR(64) NULL,
  total_backups_run INT NULL DEFAULT 0,
  successful_backups INT NULL DEFAULT 0,
  last_backup_id VARCHAR(64) NULL,
  last_backup_type ENUM('full','incremental') NULL,
  last_backup_at TIMESTAMP NULL DEFAULT NULL,
  source_platform ENUM('vmware','cloudstack','hyperv','aws','azure','nutanix','kvm','unknown') NOT NULL DEFAULT 'unknown',
  provenance ENUM('database','sync','scan','added') NOT NULL DEFAULT 'database',
  PRIMARY KEY (context_id),
  UNIQUE KEY uk_vm_repository (vm_name, repository_id),
  KEY idx_repository (repository_id),
  CONSTRAINT vm_backup_contexts_repository_fk FOREIGN KEY (repository_id) REFERENCES backup_repositories (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS backup_jobs (
  id VARCHAR(64) NOT NULL,
  vm_backup_context_id VARCHAR(64) NULL,
  vm_name VARCHAR(255) NOT NULL,
  backup_type ENUM('full','incremental','differential') NOT NULL DEFAULT 'full',
  status ENUM('pending','running','completed','failed','cancelled') NOT NULL DEFAULT 'pending',
  repository_id VARCHAR(64) NULL,
  repository_path VARCHAR(512) NULL COMMENT 'deprecated, never read: backup_disks.qcow2_path',
  disk_id INT NULL COMMENT 'deprecated, never read: backup_disks.disk_index',
  change_id VARCHAR(255) NULL COMMENT 'deprecated, never read: backup_disks.disk_change_id',
  error_message TEXT NULL,
  provenance ENUM('database','sync','scan','added') NOT NULL DEFAULT 'database',
  created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
  completed_at TIMESTAMP NULL DEFAULT NULL,
  PRIMARY KEY (id),
  KEY idx_context_created (vm_backup_context_id, created_at),
  KEY idx_vm_name (vm_name, status),
  KEY idx_repository (repository_id),
  CONSTRAINT backup_jobs_context_fk FOREIGN KEY (vm_backup_context_id) REFERENCES vm_backup_contexts (context_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS backup_disks (
  id BIGINT NOT NULL AUTO_INCREMENT,
  vm_backup_context_id VARCHAR(64) NULL,
  backup_job_id VARCHAR(64) NOT NULL,
  disk_index INT NOT NULL DEFAULT 0,
  vmware_disk_key INT NULL,
  size_gb BIGINT NULL,
  unit_number INT NULL,
  disk_change_id VARCHAR(255) NULL,
  qcow2_path VARCHAR(512) NULL,
  bytes_transferred BIGINT NULL,
  status ENUM('pending','running','completed','failed') NOT NULL DEFAULT 'pending',
  error_message TEXT NULL,
  completed_at TIMESTAMP NULL DEFAULT NULL,
  source_format ENUM('qcow2','vhd','vhdx','vmdk','raw','ebs-snapshot') NOT NULL DEFAULT 'qcow2',
  source_ref VARCHAR(512) NULL,
  file_size_bytes BIGINT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_job_disk (backup_job_id, disk_index),
  KEY idx_change_id_lookup (vm_backup_context_id, disk_index, status),
  CONSTRAINT backup_disks_context_fk FOREIGN KEY (vm_backup_context_id) REFERENCES vm_backup_contexts (context_id) ON DELETE CASCADE,
  CONSTRAINT backup_disks_job_fk FOREIGN KEY (backup_job_id) REFERENCES backup_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS backup_chains (
  id VARCHAR(64) NOT NULL,
  vm_context_id VARCHAR(64) NOT NULL,
  disk_id INT NOT NULL DEFAULT 0,
  full_backup_id VARCHAR(64) NULL,
  latest_backup_id VARCHAR(64) NULL,
  total_backups INT NULL DEFAULT 0,
  total_size_bytes BIGINT NULL DEFAULT 0,
  PRIMARY KEY (id),
  UNIQUE KEY uk_context_disk (vm_context_id, disk_id),
  CONSTRAINT backup_chains_context_fk FOREIGN KEY (vm_context_id) REFERENCES vm_backup_contexts (context_id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS backup_vm_specs (
  backup_id VARCHAR(64) NOT NULL,
  source_platform ENUM('vmware','cloudstack','hyperv','aws','azure','nutanix','kvm','unknown') NOT NULL DEFAULT 'unknown',
  provenance ENUM('guest-probe','sidecar','api','operator') NOT NULL,
  spec JSON NOT NULL,
  updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (backup_id),
  CONSTRAINT backup_vm_specs_backup_fk FOREIGN KEY (backup_id) REFERENCES backup_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_point_facts (
  backup_id VARCHAR(64) NOT NULL,
  fingerprint VARCHAR(128) NOT NULL,
  agent_id VARCHAR(63) NULL,
  facts JSON NOT NULL,
  analyzed_at DATETIME(3) NOT NULL,
  PRIMARY KEY (backup_id),
  KEY idx_fingerprint (fingerprint),
  CONSTRAINT restore_point_facts_backup_fk FOREIGN KEY (backup_id) REFERENCES backup_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
