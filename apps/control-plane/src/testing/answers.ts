import type { Restore } from '@ascend/protocol';

/** A restore as the API answers it, for tests of what is made from it. */
export function restoreAnswer(part: Partial<Restore>): Restore {
  return {
    id: 'job-1',
    backup_job_id: 'backup-1',
    source_platform: 'unknown',
    target_platform: 'target',
    restore_type: 'full_vm',
    status: 'uploading',
    target_config: {},
    progress_percent: 0,
    estimated_completion: null,
    error_message: null,
    target_vm_id: null,
    target_vm_name: 'vm',
    created_at: null,
    started_at: null,
    completed_at: null,
    state: 'running',
    plan_id: 'plan-1',
    cancel_requested: false,
    rollback_requested: false,
    pause_requested: false,
    error: null,
    bytes_done: 0,
    bytes_total: 0,
    bandwidth: { bytes_per_second: null, source: 'plan', agents: [] },
    steps: [],
    ledger: [],
    last_event_seq: 0,
    ...part,
  };
}
