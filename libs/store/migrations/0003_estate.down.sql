-- Drops users, agents, targets, settings and the audit trail with all their rows.
DROP TABLE IF EXISTS audit_head;
--> statement-breakpoint
DROP TABLE IF EXISTS audit;
--> statement-breakpoint
DROP TABLE IF EXISTS settings;
--> statement-breakpoint
DROP TABLE IF EXISTS target_facts;
--> statement-breakpoint
DROP TABLE IF EXISTS target_agents;
--> statement-breakpoint
DROP TABLE IF EXISTS targets;
--> statement-breakpoint
DROP TABLE IF EXISTS enrollment_tokens;
--> statement-breakpoint
DROP TABLE IF EXISTS agents;
--> statement-breakpoint
DROP TABLE IF EXISTS api_tokens;
--> statement-breakpoint
DROP TABLE IF EXISTS users;
