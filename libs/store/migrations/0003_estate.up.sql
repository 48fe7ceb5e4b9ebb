-- Who may do what, who does it, and where VMs may go: users and tokens, agents, targets, settings, audit.
CREATE TABLE IF NOT EXISTS users (
  id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  role ENUM('viewer','operator','admin') NOT NULL,
  created_at DATETIME(3) NOT NULL,
  disabled_at DATETIME(3) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS api_tokens (
  id VARCHAR(36) NOT NULL,
  user_id VARCHAR(36) NOT NULL,
  name VARCHAR(255) NOT NULL,
  prefix VARCHAR(16) NOT NULL COMMENT 'shown in lists; the rest of the token is never stored',
  token_sha256 CHAR(64) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  expires_at DATETIME(3) NULL,
  last_used_at DATETIME(3) NULL,
  revoked_at DATETIME(3) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_token (token_sha256),
  KEY idx_user (user_id),
  CONSTRAINT api_tokens_user_fk FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS agents (
  id VARCHAR(63) NOT NULL,
  site_id VARCHAR(63) NOT NULL,
  public_key VARCHAR(64) NOT NULL,
  public_xkey VARCHAR(64) NOT NULL,
  version VARCHAR(64) NOT NULL,
  capabilities JSON NULL,
  open_ops JSON NULL,
  enrolled_at DATETIME(3) NOT NULL,
  last_seen_at DATETIME(3) NULL,
  revoked_at DATETIME(3) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_public_key (public_key),
  KEY idx_site (site_id),
  CONSTRAINT agents_site_fk FOREIGN KEY (site_id) REFERENCES sites (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS enrollment_tokens (
  id VARCHAR(36) NOT NULL,
  token_sha256 CHAR(64) NOT NULL,
  site_id VARCHAR(63) NOT NULL,
  created_by VARCHAR(255) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  used_at DATETIME(3) NULL,
  used_by_agent VARCHAR(63) NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_token (token_sha256),
  KEY idx_site (site_id),
  CONSTRAINT enrollment_tokens_site_fk FOREIGN KEY (site_id) REFERENCES sites (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS targets (
  id VARCHAR(63) NOT NULL,
  name VARCHAR(255) NOT NULL,
  platform ENUM('vmware','cloudstack','hyperv','aws','azure','nutanix','kvm') NOT NULL,
  connection JSON NOT NULL COMMENT 'never a secret',
  sealed_credentials MEDIUMTEXT NULL COMMENT 'sealed with the control plane key file',
  secret_names JSON NOT NULL,
  created_at DATETIME(3) NOT NULL,
  updated_at DATETIME(3) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY uk_name (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS target_agents (
  target_id VARCHAR(63) NOT NULL,
  agent_id VARCHAR(63) NOT NULL,
  preference INT NOT NULL DEFAULT 0,
  PRIMARY KEY (target_id, agent_id),
  KEY idx_agent (agent_id),
  CONSTRAINT target_agents_target_fk FOREIGN KEY (target_id) REFERENCES targets (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS target_facts (
  target_id VARCHAR(63) NOT NULL,
  agent_id VARCHAR(63) NULL,
  facts JSON NOT NULL,
  fetched_at DATETIME(3) NOT NULL,
  PRIMARY KEY (target_id),
  CONSTRAINT target_facts_target_fk FOREIGN KEY (target_id) REFERENCES targets (id) ON DELETE CASCADE
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS settings (
  name VARCHAR(100) NOT NULL,
  value JSON NOT NULL COMMENT 'references and choices, never key material',
  updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
CREATE TABLE IF NOT EXISTS audit (
  seq BIGINT NOT NULL,
  at DATETIME(3) NOT NULL,
  actor VARCHAR(255) NOT NULL,
  action VARCHAR(512) NOT NULL,
  subject VARCHAR(512) NOT NULL,
  details JSON NOT NULL,
  prev_hash CHAR(64) NOT NULL,
  hash CHAR(64) NOT NULL COMMENT 'sha256 over the row and prev_hash',
  PRIMARY KEY (seq)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
-- One row: where the chain ends. Locked by each append; a cut tail shows as a difference to it.
CREATE TABLE IF NOT EXISTS audit_head (
  id TINYINT NOT NULL,
  seq BIGINT NOT NULL,
  hash CHAR(64) NOT NULL,
  PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
--> statement-breakpoint
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, REPEAT('0', 64)) ON DUPLICATE KEY UPDATE id = audit_head.id;
