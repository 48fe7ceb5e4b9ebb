-- Copies the rows of catalogue tables that 0001 moved aside. Each statement may run twice.
-- "--+ T.C TYPE" adds a nullable column to a legacy table that lacks it, so that one SELECT reads every older form.

--+ legacy_backup_repositories.name VARCHAR(255)
--+ legacy_backup_repositories.type VARCHAR(32)
--+ legacy_vm_backup_contexts.vm_name VARCHAR(255)
--+ legacy_vm_backup_contexts.vmware_vm_id VARCHAR(255)
--+ legacy_vm_backup_contexts.vm_path VARCHAR(500)
--+ legacy_vm_backup_contexts.vcenter_host VARCHAR(255)
--+ legacy_vm_backup_contexts.datacenter VARCHAR(255)
--+ legacy_vm_backup_contexts.repository_id VARCHAR(64)
--+ legacy_vm_backup_contexts.total_backups_run INT
--+ legacy_vm_backup_contexts.successful_backups INT
--+ legacy_vm_backup_contexts.last_backup_id VARCHAR(64)
--+ legacy_vm_backup_contexts.last_backup_type VARCHAR(32)
--+ legacy_vm_backup_contexts.last_backup_at TIMESTAMP
--+ legacy_backup_jobs.vm_context_id VARCHAR(64)
--+ legacy_backup_jobs.vm_backup_context_id VARCHAR(64)
--+ legacy_backup_jobs.vm_name VARCHAR(255)
--+ legacy_backup_jobs.backup_type VARCHAR(32)
--+ legacy_backup_jobs.status VARCHAR(32)
--+ legacy_backup_jobs.repository_id VARCHAR(64)
--+ legacy_backup_jobs.repository_path VARCHAR(512)
--+ legacy_backup_jobs.disk_id INT
--+ legacy_backup_jobs.change_id VARCHAR(255)
--+ legacy_backup_jobs.error_message TEXT
--+ legacy_backup_jobs.created_at TIMESTAMP
--+ legacy_backup_jobs.completed_at TIMESTAMP
--+ legacy_backup_disks.vmware_disk_key INT
--+ legacy_backup_disks.size_gb BIGINT
--+ legacy_backup_disks.unit_number INT
--+ legacy_backup_disks.disk_change_id VARCHAR(255)
--+ legacy_backup_disks.bytes_transferred BIGINT
--+ legacy_backup_disks.error_message TEXT
--+ legacy_backup_disks.completed_at TIMESTAMP
--+ legacy_backup_chains.disk_id INT
--+ legacy_backup_chains.full_backup_id VARCHAR(64)
--+ legacy_backup_chains.latest_backup_id VARCHAR(64)
--+ legacy_backup_chains.total_backups INT
--+ legacy_backup_chains.total_size_bytes BIGINT
--> statement-breakpoint
--? if table legacy_backup_repositories
INSERT INTO backup_repositories (id, name, type)
SELECT l.id, COALESCE(l.name, l.id), COALESCE(l.type, 'local') FROM legacy_backup_repositories l
ON DUPLICATE KEY UPDATE name = backup_repositories.name;
--> statement-breakpoint
--? if table legacy_vm_backup_contexts
INSERT INTO backup_repositories (id, name)
SELECT DISTINCT l.repository_id, l.repository_id FROM legacy_vm_backup_contexts l
WHERE l.repository_id IS NOT NULL AND l.repository_id <> ''
ON DUPLICATE KEY UPDATE name = backup_repositories.name;
--> statement-breakpoint
--? if table legacy_backup_jobs
INSERT INTO backup_repositories (id, name)
SELECT DISTINCT l.repository_id, l.repository_id FROM legacy_backup_jobs l
WHERE l.repository_id IS NOT NULL AND l.repository_id <> ''
ON DUPLICATE KEY UPDATE name = backup_repositories.name;
--> statement-breakpoint
--? if table legacy_vm_backup_contexts
INSERT INTO vm_backup_contexts (context_id, vm_name, vmware_vm_id, vm_path, vcenter_host, datacenter, repository_id,
  total_backups_run, successful_backups, last_backup_id, last_backup_type, last_backup_at, source_platform)
SELECT l.context_id, COALESCE(l.vm_name, l.context_id), l.vmware_vm_id, l.vm_path, l.vcenter_host, l.datacenter,
  NULLIF(l.repository_id, ''), COALESCE(l.total_backups_run, 0), COALESCE(l.successful_backups, 0), l.last_backup_id,
  CASE WHEN l.last_backup_type IN ('full', 'incremental') THEN l.last_backup_type END, l.last_backup_at,
  CASE WHEN l.vmware_vm_id IS NOT NULL OR l.vcenter_host IS NOT NULL THEN 'vmware' ELSE 'unknown' END
FROM legacy_vm_backup_contexts l
ON DUPLICATE KEY UPDATE vm_name = vm_backup_contexts.vm_name;
--> statement-breakpoint
--? if table legacy_backup_jobs
INSERT INTO vm_backup_contexts (context_id, vm_name, repository_id)
SELECT o.context_id, COALESCE(MAX(o.vm_name), o.context_id), MAX(o.repository_id)
FROM (
  SELECT COALESCE(NULLIF(l.vm_backup_context_id, ''), LEFT(NULLIF(l.vm_context_id, ''), 64)) AS context_id, l.vm_name,
    NULLIF(l.repository_id, '') AS repository_id
  FROM legacy_backup_jobs l
) o
WHERE o.context_id IS NOT NULL
GROUP BY o.context_id
ON DUPLICATE KEY UPDATE vm_name = vm_backup_contexts.vm_name;
--> statement-breakpoint
-- A second context of one VM name in one repository cannot be: its backups join the first.
--? if table legacy_backup_jobs
INSERT INTO backup_jobs (id, vm_backup_context_id, vm_name, backup_type, status, repository_id, repository_path,
  disk_id, change_id, error_message, created_at, completed_at)
SELECT l.id, COALESCE(c.context_id, n.context_id), COALESCE(l.vm_name, c.vm_name, l.id),
  CASE WHEN l.backup_type IN ('full', 'incremental', 'differential') THEN l.backup_type ELSE 'full' END,
  CASE WHEN l.status IN ('pending', 'running', 'completed', 'failed', 'cancelled') THEN l.status ELSE 'failed' END,
  COALESCE(NULLIF(l.repository_id, ''), c.repository_id), l.repository_path, l.disk_id, l.change_id, l.error_message,
  l.created_at, l.completed_at
FROM legacy_backup_jobs l
LEFT JOIN vm_backup_contexts c
  ON c.context_id = COALESCE(NULLIF(l.vm_backup_context_id, ''), LEFT(NULLIF(l.vm_context_id, ''), 64))
LEFT JOIN vm_backup_contexts n
  ON n.vm_name = l.vm_name AND n.repository_id = l.repository_id AND c.context_id IS NULL
ON DUPLICATE KEY UPDATE vm_name = backup_jobs.vm_name;
--> statement-breakpoint
--? if table legacy_backup_disks
INSERT INTO backup_disks (id, vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key, size_gb, unit_number,
  disk_change_id, qcow2_path, bytes_transferred, status, error_message, completed_at)
SELECT l.id, b.vm_backup_context_id, b.id, l.disk_index, l.vmware_disk_key, l.size_gb, l.unit_number,
  l.disk_change_id, l.qcow2_path, l.bytes_transferred,
  CASE WHEN l.status IN ('pending', 'running', 'completed', 'failed') THEN l.status ELSE 'failed' END,
  l.error_message, l.completed_at
FROM legacy_backup_disks l JOIN backup_jobs b ON b.id = l.backup_job_id
ON DUPLICATE KEY UPDATE disk_index = backup_disks.disk_index;
--> statement-breakpoint
-- The oldest form: one file per backup_jobs row.
--? if table legacy_backup_jobs
INSERT INTO backup_disks (vm_backup_context_id, backup_job_id, disk_index, disk_change_id, qcow2_path, status,
  completed_at)
SELECT b.vm_backup_context_id, b.id, COALESCE(l.disk_id, 0), l.change_id, l.repository_path,
  CASE WHEN b.status = 'cancelled' THEN 'failed' ELSE b.status END, b.completed_at
FROM legacy_backup_jobs l JOIN backup_jobs b ON b.id = l.id
LEFT JOIN (SELECT DISTINCT backup_job_id FROM backup_disks) d ON d.backup_job_id = b.id
WHERE d.backup_job_id IS NULL AND l.repository_path IS NOT NULL AND l.repository_path <> ''
ON DUPLICATE KEY UPDATE disk_index = backup_disks.disk_index;
--> statement-breakpoint
--? if table legacy_backup_chains
INSERT INTO backup_chains (id, vm_context_id, disk_id, full_backup_id, latest_backup_id, total_backups, total_size_bytes)
SELECT l.id, c.context_id, COALESCE(l.disk_id, 0), l.full_backup_id, l.latest_backup_id, COALESCE(l.total_backups, 0),
  COALESCE(l.total_size_bytes, 0)
FROM legacy_backup_chains l JOIN vm_backup_contexts c ON c.context_id = l.vm_context_id
ON DUPLICATE KEY UPDATE disk_id = backup_chains.disk_id;
