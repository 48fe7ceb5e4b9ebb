-- What makes delivery safe: outbox, inbox, leases, concurrency slots.
CREATE TABLE IF NOT EXISTS outbox (
  id BIGINT NOT NULL AUTO_INCREMENT,
  msg_id VARCHAR(80) NOT NULL COMMENT 'message id on the bus: the same for every try',
  job_id VARCHAR(64) NULL,
  type ENUM('command','cancel') NOT NULL,
  site_id VARCHAR(63) NOT NULL,
  agent_id VARCHAR(63) NOT NULL,
  kind VARCHAR(32) NOT NULL COMMENT 'last token of the subject',
  payload JSON NOT NULL COMMENT 'never a secret',
  tries INT NOT NULL DEFAULT 0,
  created_at DATETIME(3) NOT NULL,
  claimed_until DATETIME(3) NULL COMMENT 'database clock',
  sent_at DATETIME(3) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_msg (msg_id),
  KEY idx_unsent (sent_at, id),
  KEY idx_job (job_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS inbox (
  event_id VARCHAR(80) NOT NULL,
  job_id VARCHAR(64) NULL,
  op_id VARCHAR(64) NULL,
  type VARCHAR(32) NOT NULL,
  ignored VARCHAR(255) NULL COMMENT 'why the event changed nothing',
  received_at DATETIME(3) NOT NULL,
  PRIMARY KEY (event_id),
  KEY idx_received (received_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS leases (
  name VARCHAR(100) NOT NULL,
  holder VARCHAR(100) NOT NULL,
  epoch BIGINT NOT NULL,
  expires_at DATETIME(3) NOT NULL COMMENT 'database clock',
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
-- A slot is a row: two holders can never have the same number of the same key.
CREATE TABLE IF NOT EXISTS concurrency_slots (
  concurrency_key VARCHAR(255) NOT NULL,
  slot INT NOT NULL,
  holder VARCHAR(64) NOT NULL COMMENT 'op id, or job id for what is held from start to end',
  job_id VARCHAR(64) NOT NULL,
  acquired_at DATETIME(3) NOT NULL,
  PRIMARY KEY (concurrency_key, slot),
  UNIQUE KEY uk_key_holder (concurrency_key, holder),
  KEY idx_holder (holder),
  KEY idx_job (job_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
