DROP TABLE revocation_events;
DROP TABLE token_epochs;
DROP TABLE sessions;
