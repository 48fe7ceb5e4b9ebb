-- Plans, restore jobs, their steps and attempts, mounts, events, ledger, reports, evidence.
-- ledger, job_events, restore_reports and evidence have no foreign key: deleting a backup erases its restore_jobs row
-- by cascade, and what was created on a target must stay known all the same.
--? if table restore_jobs
--? unless table legacy_restore_jobs
RENAME TABLE restore_jobs TO legacy_restore_jobs;
--> statement-breakpoint
--? if table restore_steps
--? unless table legacy_restore_steps
RENAME TABLE restore_steps TO legacy_restore_steps;
--> statement-breakpoint
--? if table restore_mounts
--? unless table legacy_restore_mounts
RENAME TABLE restore_mounts TO legacy_restore_mounts;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_plans (
  id VARCHAR(64) NOT NULL,
  backup_id VARCHAR(64) NOT NULL,
  target_id VARCHAR(63) NOT NULL,
  inputs_hash VARCHAR(128) NOT NULL,
  plan JSON NOT NULL,
  created_by VARCHAR(255) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  KEY idx_backup (backup_id),
  KEY idx_created (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_jobs (
  id VARCHAR(64) NOT NULL,
  backup_job_id VARCHAR(64) NOT NULL,
  source_platform ENUM('vmware','cloudstack','hyperv','aws','azure','nutanix','kvm','unknown') NOT NULL,
  target_platform ENUM('vmware','cloudstack','hyperv','aws','azure','nutanix','kvm') NOT NULL,
  restore_type ENUM('full_vm','file_level') NOT NULL,
  status ENUM('pending','converting','uploading','creating','completed','failed','cancelled','rolled_back','paused','awaiting_approval') NOT NULL,
  target_config JSON NOT NULL,
  progress_percent DECIMAL(5,2) NULL DEFAULT 0.00,
  estimated_completion TIMESTAMP NULL DEFAULT NULL,
  error_message TEXT NULL,
  target_vm_id VARCHAR(255) NULL,
  target_vm_name VARCHAR(255) NULL,
  created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
  started_at TIMESTAMP NULL DEFAULT NULL,
  completed_at TIMESTAMP NULL DEFAULT NULL,
  state ENUM('queued','running','paused','cancelling','rolling_back','completed','failed','cancelled','rolled_back') NOT NULL DEFAULT 'queued',
  version INT NOT NULL DEFAULT 1 COMMENT 'compared and raised by each save',
  plan_id VARCHAR(64) NULL,
  plan JSON NULL COMMENT 'NULL only for rows that came from an older product',
  inputs_hash VARCHAR(128) NULL,
  target_id VARCHAR(63) NULL,
  cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
  rollback_requested BOOLEAN NOT NULL DEFAULT FALSE,
  pause_requested BOOLEAN NOT NULL DEFAULT FALSE,
  error JSON NULL,
  last_event_seq BIGINT NOT NULL DEFAULT 0,
  created_by VARCHAR(255) NULL,
  PRIMARY KEY (id),
  KEY idx_status (status),
  KEY idx_created (created_at),
  KEY idx_state (state),
  KEY idx_backup (backup_job_id),
  CONSTRAINT restore_jobs_backup_fk FOREIGN KEY (backup_job_id) REFERENCES backup_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_steps (
  id VARCHAR(64) NOT NULL,
  restore_job_id VARCHAR(64) NOT NULL,
  step_name VARCHAR(255) NOT NULL,
  step_order INT NOT NULL,
  status ENUM('pending','running','completed','failed','cancelled','rolled_back','paused','awaiting_approval','skipped') NOT NULL,
  started_at TIMESTAMP NULL DEFAULT NULL,
  completed_at TIMESTAMP NULL DEFAULT NULL,
  error_message TEXT NULL,
  metadata JSON NULL,
  step_key VARCHAR(64) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  disk_index INT NULL,
  state ENUM('waiting','dispatched','running','succeeded','failed','cancelled','skipped') NOT NULL DEFAULT 'waiting',
  attempt INT NOT NULL DEFAULT 0,
  op_id VARCHAR(64) NULL,
  agent_id VARCHAR(63) NULL,
  epoch INT NOT NULL DEFAULT 0,
  not_before_ms BIGINT NOT NULL DEFAULT 0,
  started_ms BIGINT NULL,
  completed_ms BIGINT NULL,
  output JSON NULL,
  checkpoint JSON NULL,
  progress JSON NULL,
  error JSON NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_job_step (restore_job_id, step_key),
  KEY idx_restore_job (restore_job_id),
  KEY idx_order (restore_job_id, step_order),
  KEY idx_op (op_id),
  CONSTRAINT restore_steps_job_fk FOREIGN KEY (restore_job_id) REFERENCES restore_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_step_attempts (
  op_id VARCHAR(64) NOT NULL,
  restore_job_id VARCHAR(64) NOT NULL,
  step_key VARCHAR(64) NOT NULL,
  attempt INT NOT NULL,
  mode ENUM('run','undo') NOT NULL,
  resource_key VARCHAR(64) NULL,
  agent_id VARCHAR(63) NULL,
  epoch INT NOT NULL DEFAULT 0,
  state ENUM('dispatched','running','succeeded','failed','cancelled','superseded') NOT NULL,
  error JSON NULL,
  dispatched_at DATETIME(3) NOT NULL,
  ended_at DATETIME(3) NULL,
  PRIMARY KEY (op_id),
  KEY idx_job (restore_job_id, step_key, attempt),
  KEY idx_agent_state (agent_id, state),
  CONSTRAINT restore_step_attempts_job_fk FOREIGN KEY (restore_job_id) REFERENCES restore_jobs (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS restore_mounts (
  id VARCHAR(64) NOT NULL,
  backup_disk_id BIGINT NOT NULL,
  disk_index INT NOT NULL DEFAULT 0,
  agent_id VARCHAR(63) NULL,
  engine VARCHAR(32) NULL,
  nbd_device VARCHAR(255) NULL,
  mount_path VARCHAR(512) NULL,
  filesystem_type VARCHAR(32) NULL,
  state ENUM('mounting','mounted','unmounting','failed') NOT NULL DEFAULT 'mounting',
  error_message TEXT NULL,
  created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
  last_accessed_at TIMESTAMP NULL DEFAULT NULL,
  expires_at TIMESTAMP NULL DEFAULT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_backup_disk (backup_disk_id),
  UNIQUE KEY uk_nbd_device (agent_id, nbd_device),
  KEY idx_expires (expires_at),
  CONSTRAINT restore_mounts_disk_fk FOREIGN KEY (backup_disk_id) REFERENCES backup_disks (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS job_events (
  restore_job_id VARCHAR(64) NOT NULL,
  seq BIGINT NOT NULL,
  type VARCHAR(64) NOT NULL,
  at DATETIME(3) NOT NULL,
  data JSON NOT NULL,
  PRIMARY KEY (restore_job_id, seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS ledger (
  job_id VARCHAR(64) NOT NULL,
  step_key VARCHAR(64) NOT NULL,
  resource_key VARCHAR(64) NOT NULL,
  target_id VARCHAR(63) NOT NULL,
  kind VARCHAR(16) NOT NULL,
  name VARCHAR(255) NOT NULL,
  tag VARCHAR(255) NOT NULL,
  token JSON NULL,
  state ENUM('intended','present','deleting','gone','abandoned') NOT NULL,
  undo_order INT NOT NULL,
  op_id VARCHAR(64) NULL,
  epoch INT NOT NULL DEFAULT 0,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (job_id, step_key, resource_key),
  KEY idx_target_state (target_id, state),
  KEY idx_op (op_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
-- One row per restore from its start on: what stays when the restore_jobs row is cascaded away.
CREATE TABLE IF NOT EXISTS restore_reports (
  job_id VARCHAR(64) NOT NULL,
  backup_id VARCHAR(64) NOT NULL,
  vm_name VARCHAR(255) NOT NULL,
  target_id VARCHAR(63) NOT NULL,
  target_platform VARCHAR(16) NOT NULL,
  restore_type ENUM('full_vm','file_level') NOT NULL,
  state VARCHAR(16) NOT NULL,
  plan JSON NOT NULL,
  report JSON NULL,
  error JSON NULL,
  started_at DATETIME(3) NOT NULL,
  ended_at DATETIME(3) NULL,
  PRIMARY KEY (job_id),
  KEY idx_vm (vm_name, restore_type),
  KEY idx_ended (ended_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS evidence (
  id VARCHAR(36) NOT NULL,
  job_id VARCHAR(64) NOT NULL,
  step_key VARCHAR(64) NOT NULL,
  op_id VARCHAR(64) NULL,
  kind VARCHAR(32) NOT NULL,
  media_type VARCHAR(100) NOT NULL,
  sha256 CHAR(64) NOT NULL,
  content MEDIUMBLOB NOT NULL COMMENT 'at most 1 MiB',
  created_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_content (job_id, step_key, kind, sha256)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
--+ legacy_restore_mounts.backup_id VARCHAR(64)
--+ legacy_restore_mounts.backup_disk_id BIGINT
--+ legacy_restore_mounts.disk_index INT
--+ legacy_restore_mounts.nbd_device VARCHAR(255)
--+ legacy_restore_mounts.mount_path VARCHAR(512)
--+ legacy_restore_mounts.filesystem_type VARCHAR(32)
--+ legacy_restore_mounts.status VARCHAR(32)
--+ legacy_restore_mounts.created_at TIMESTAMP
--+ legacy_restore_mounts.last_accessed_at TIMESTAMP
--+ legacy_restore_mounts.expires_at TIMESTAMP
--> statement-breakpoint
-- A mount of a whole backup becomes one of its disk 0, or of the lowest disk there is. One mount per disk: the newest
-- wins, the others stay in the legacy table only.
--? if table legacy_restore_mounts
INSERT INTO restore_mounts (id, backup_disk_id, disk_index, nbd_device, mount_path, filesystem_type, state, created_at,
  last_accessed_at, expires_at)
SELECT l.id, d.id, d.disk_index, l.nbd_device, l.mount_path, l.filesystem_type,
  CASE WHEN l.status IN ('mounting', 'mounted', 'unmounting', 'failed') THEN l.status ELSE 'mounted' END,
  l.created_at, l.last_accessed_at, l.expires_at
FROM legacy_restore_mounts l
JOIN backup_disks d ON d.id = COALESCE(
  l.backup_disk_id,
  (SELECT x.id FROM backup_disks x WHERE x.backup_job_id = l.backup_id AND x.disk_index = COALESCE(l.disk_index, 0)),
  (SELECT MIN(x.id) FROM backup_disks x WHERE x.backup_job_id = l.backup_id AND x.disk_index =
    (SELECT MIN(y.disk_index) FROM backup_disks y WHERE y.backup_job_id = l.backup_id))
)
ORDER BY l.created_at DESC, l.id DESC
ON DUPLICATE KEY UPDATE disk_index = restore_mounts.disk_index;
--> statement-breakpoint
--+ legacy_restore_jobs.error_message TEXT
--+ legacy_restore_jobs.target_vm_id VARCHAR(255)
--+ legacy_restore_jobs.target_vm_name VARCHAR(255)
--+ legacy_restore_jobs.created_at TIMESTAMP
--+ legacy_restore_jobs.started_at TIMESTAMP
--+ legacy_restore_jobs.completed_at TIMESTAMP
--+ legacy_restore_jobs.progress_percent DECIMAL(5,2)
--+ legacy_restore_jobs.estimated_completion TIMESTAMP
--+ legacy_restore_steps.started_at TIMESTAMP
--+ legacy_restore_steps.completed_at TIMESTAMP
--+ legacy_restore_steps.error_message TEXT
--+ legacy_restore_steps.metadata JSON
--> statement-breakpoint
-- No engine knows how to go on with a restore of the older product: what had not ended is failed.
--? if table legacy_restore_jobs
INSERT INTO restore_jobs (id, backup_job_id, source_platform, target_platform, restore_type, status, target_config,
  progress_percent, estimated_completion, error_message, target_vm_id, target_vm_name, created_at, started_at,
  completed_at, state)
SELECT l.id, l.backup_job_id, l.source_platform, l.target_platform, l.restore_type,
  CASE WHEN l.status = 'completed' THEN 'completed' ELSE 'failed' END, l.target_config, l.progress_percent,
  l.estimated_completion, l.error_message, l.target_vm_id, l.target_vm_name, l.created_at, l.started_at,
  l.completed_at, CASE WHEN l.status = 'completed' THEN 'completed' ELSE 'failed' END
FROM legacy_restore_jobs l JOIN backup_jobs b ON b.id = l.backup_job_id
ON DUPLICATE KEY UPDATE state = restore_jobs.state;
--> statement-breakpoint
--? if table legacy_restore_steps
INSERT INTO restore_steps (id, restore_job_id, step_name, step_order, status, started_at, completed_at, error_message,
  metadata, step_key, kind, state)
SELECT l.id, j.id, l.step_name, l.step_order, CASE WHEN l.status = 'completed' THEN 'completed' ELSE 'failed' END,
  l.started_at, l.completed_at, l.error_message, l.metadata, LEFT(CONCAT('legacy:', l.id), 64), 'legacy',
  CASE WHEN l.status = 'completed' THEN 'succeeded' ELSE 'failed' END
FROM legacy_restore_steps l JOIN restore_jobs j ON j.id = l.restore_job_id
ON DUPLICATE KEY UPDATE state = restore_steps.state;
