-- Failed sign-ins, counted by account and by where they come from, so that one who guesses keeps no other from signing
-- in. An account is a user's id (16 bytes) or, for an address that no user has, SHA-256 of the address without its
-- differences of letter case (32 bytes): what was typed there by mistake is not kept.
CREATE TABLE sign_in_attempts (
  account  bytea  NOT NULL CHECK (length(account) IN (16, 32)),
  -- The first 16 bytes of SHA-256 of the network's name.
  network  bytea  NOT NULL CHECK (length(network) = 16),
  -- How many in a row.
  failures bigint NOT NULL CHECK (failures >= 0),
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  last_at  bigint NOT NULL,
  PRIMARY KEY (account, network)
);

CREATE INDEX sign_in_attempts_by_last_at ON sign_in_attempts (last_at);

-- The same for an account alone, from all networks together: so many in a row end sign-in by password.
CREATE TABLE sign_in_accounts (
  account  bytea  NOT NULL PRIMARY KEY CHECK (length(account) IN (16, 32)),
  failures bigint NOT NULL CHECK (failures >= 0),
  last_at  bigint NOT NULL
);

-- Rows that may be forgotten in time: those of users who may sign in no more by password stay.
CREATE INDEX sign_in_accounts_counting ON sign_in_accounts (last_at) WHERE failures < 100;
CREATE INDEX sign_in_accounts_unknown ON sign_in_accounts (last_at) WHERE failures >= 100 AND length(account) = 32;

-- Devices that have signed in: each is named by the session that it began last, whose refresh tokens it shows. They
-- outlive their sessions, and have a count of failures of their own.
CREATE TABLE known_devices (
  session_id uuid   NOT NULL PRIMARY KEY,
  user_id    uuid   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  failures   bigint NOT NULL CHECK (failures >= 0),
  -- When it last signed in or failed to.
  last_at    bigint NOT NULL
);

CREATE INDEX known_devices_by_user ON known_devices (user_id, last_at);
CREATE INDEX known_devices_by_last_at ON known_devices (last_at);
