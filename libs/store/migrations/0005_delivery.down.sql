-- Drops outbox, inbox, leases and slots; messages that were not sent are lost.
DROP TABLE IF EXISTS concurrency_slots;
--> statement-breakpoint
DROP TABLE IF EXISTS leases;
--> statement-breakpoint
DROP TABLE IF EXISTS inbox;
--> statement-breakpoint
DROP TABLE IF EXISTS outbox;
