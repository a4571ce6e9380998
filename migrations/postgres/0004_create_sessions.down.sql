ALTER TABLE store_revision DROP COLUMN forgotten;
DROP TABLE revocation_events;
DROP TABLE token_epochs;
DROP TABLE sessions;
