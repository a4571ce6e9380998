// Generated from migrations/postgres/ by ./dev generate. Do not edit.
// swift-format-ignore-file

public import UserStore

extension Migration {
  /// The migrations of this program, byte for byte as in migrations/postgres/.
  public static let postgres: [Migration] = [
Migration(version: 1, name: "create_users", up: ###"""
-- Users. Names and meanings are those of the SQLite schema; what differs is said here.
--
-- email_key is bytea, so that addresses are one by their bytes, in every collation of the server. name_key and place, which
-- only the program can compute, are here from the beginning.
CREATE TABLE users (
  id         uuid     NOT NULL PRIMARY KEY,
  email      text     NOT NULL,
  email_key  bytea    NOT NULL UNIQUE,
  name       text     NOT NULL,
  -- As user.v1.UserStatus: 1 active, 2 inactive.
  status     smallint NOT NULL CHECK (status IN (1, 2)),
  -- Microseconds since 1970-01-01T00:00:00Z.
  created_at bigint   NOT NULL,
  -- The name without its differences of letter case and composition.
  name_key   bytea    NOT NULL,
  -- The user's place in the order of creation, a UUIDv7; NULL where that is its id, as for all users that were created here.
  place      uuid
);

CREATE UNIQUE INDEX users_by_place ON users ((coalesce(place, id)));

-- One row, which every writing transaction updates first. Its lock makes the transactions of all services one sequence, as
-- those of one SQLite writer are, and its number is that of the last one.
CREATE TABLE store_revision (
  is_only boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (is_only),
  number  bigint  NOT NULL,
  -- The greatest id that is its user's place in the order of creation: later ones are greater.
  last_id uuid    NOT NULL
) WITH (fillfactor = 10);

INSERT INTO store_revision (number, last_id) VALUES (0, '00000000-0000-0000-0000-000000000000');

"""###, down: ###"""
DROP TABLE store_revision;
DROP TABLE users;

"""###),
Migration(version: 2, name: "create_password_credentials", up: ###"""
-- Password hashes, apart from users: no statement that answers a read of users can reach them by mistake. A user without a
-- row here cannot sign in by password.
CREATE TABLE password_credentials (
  user_id  uuid NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  -- PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$tag
  phc_hash text NOT NULL
);

"""###, down: ###"""
DROP TABLE password_credentials;

"""###),
Migration(version: 3, name: "create_secrets", up: ###"""
-- Keys that belong to the database rather than to a process, such as the one that page tokens are signed with: all services
-- of the database share them.
CREATE TABLE secrets (
  name  text  NOT NULL PRIMARY KEY,
  value bytea NOT NULL
);

"""###, down: ###"""
DROP TABLE secrets;

"""###),
Migration(version: 4, name: "create_sessions", up: ###"""
-- Sessions: what a sign-in begins, and a refresh token continues.
CREATE TABLE sessions (
  -- 16 random bytes; in access tokens as `sid`.
  id            uuid   NOT NULL PRIMARY KEY,
  user_id       uuid   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of the refresh token that is good now, and of the one before it.
  token_hash    bytea  NOT NULL CHECK (length(token_hash) = 32),
  previous_hash bytea           CHECK (length(previous_hash) = 32),
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  rotated_at    bigint NOT NULL,
  -- When the session ends, however often it is refreshed.
  expires_at    bigint NOT NULL,
  -- When it was ended before its time; NULL while it lives.
  ended_at      bigint,
  -- The row is of no use after this: its refresh token has expired, or all access tokens of an ended session have.
  kept_until    bigint NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_kept_until ON sessions (kept_until);
CREATE INDEX sessions_ended ON sessions (id) WHERE ended_at IS NOT NULL;

-- Users whose tokens were revoked: a token of an earlier epoch is no good any more. A user without a row is in epoch 0.
CREATE TABLE token_epochs (
  user_id  uuid   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  epoch    bigint NOT NULL,
  began_at bigint NOT NULL
);

-- What transactions have revoked, by which services learn what others have done.
CREATE TABLE revocation_events (
  -- store_revision.number of the transaction.
  revision   bigint   NOT NULL,
  -- 1: an epoch of a user began; 2: a session ended; 3: a token was revoked.
  kind       smallint NOT NULL CHECK (kind IN (1, 2, 3)),
  -- The user, the session or the token.
  id         uuid     NOT NULL,
  -- Of a user: the epoch, and whether the user may use the service.
  epoch      bigint,
  is_active  boolean,
  -- When the epoch began, or until when the event must be known.
  at         bigint   NOT NULL,
  -- The row is of no use after this, by the clock of the server: an hour after the transaction, and for a session, which may
  -- have no other row that says that it has ended, not before `at`.
  kept_until bigint   NOT NULL
);

CREATE INDEX revocation_events_by_revision ON revocation_events (revision);
CREATE UNIQUE INDEX revocation_events_by_session ON revocation_events (id) WHERE kind = 2;
CREATE INDEX revocation_events_by_kept_until ON revocation_events (kept_until);

-- The greatest revision of the rows of revocation_events that were deleted: a service that has read less reads everything.
ALTER TABLE store_revision ADD COLUMN forgotten bigint NOT NULL DEFAULT 0;

"""###, down: ###"""
ALTER TABLE store_revision DROP COLUMN forgotten;
DROP TABLE revocation_events;
DROP TABLE token_epochs;
DROP TABLE sessions;

"""###),
Migration(version: 5, name: "create_create_requests", up: ###"""
-- Requests to create a user that their clients have given an id, so that they can be repeated: an answer may get lost.
CREATE TABLE create_requests (
  -- A UUID, chosen by the client.
  id           uuid   NOT NULL PRIMARY KEY,
  user_id      uuid   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of the address and the name. The password is compared with its stored hash: a fast hash of it here would help
  -- a thief of the database to guess it.
  content_hash bytea  NOT NULL CHECK (length(content_hash) = 32),
  -- Microseconds since 1970-01-01T00:00:00Z, as users.created_at.
  made_at      bigint NOT NULL
);

CREATE INDEX create_requests_by_user ON create_requests (user_id);
CREATE INDEX create_requests_by_made_at ON create_requests (made_at);

"""###, down: ###"""
DROP TABLE create_requests;

"""###),
Migration(version: 6, name: "create_sign_in_counters", up: ###"""
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

"""###, down: ###"""
DROP TABLE known_devices;
DROP TABLE sign_in_accounts;
DROP TABLE sign_in_attempts;

"""###),
Migration(version: 7, name: "create_revoked_tokens", up: ###"""
-- Access tokens that were revoked one by one, before they expire: those of services have neither a session nor an epoch.
CREATE TABLE revoked_tokens (
  -- The token's `jti`, 16 random bytes.
  id         uuid   NOT NULL PRIMARY KEY,
  -- Whose token it was, and when it expires; NULL where only the id was given.
  subject    text,
  expires_at bigint,
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  revoked_at bigint NOT NULL,
  -- The row is of no use after this: the token has expired, by any clock.
  kept_until bigint NOT NULL
);

"""###, down: ###"""
DROP TABLE revoked_tokens;

"""###),
Migration(version: 8, name: "canonical_email_keys", up: ###"""
-- Nothing to do: on PostgreSQL, users.email_key has had its keys by canonical caseless matching and A-labels from the
-- first version on. The version is here so that versions mean the same for both engines.

"""###, down: ###"""
-- Nothing to do.

"""###),
Migration(version: 9, name: "user_lifecycle", up: ###"""
-- The rest of a user's life: changes, deletion, labels and search.
--
-- When the user was last changed, in microseconds since 1970-01-01T00:00:00Z; NULL until then.
ALTER TABLE users ADD COLUMN updated_at bigint;
-- When the user was deleted, and when it will be purged; NULL unless it is deleted.
ALTER TABLE users ADD COLUMN deleted_at bigint;
ALTER TABLE users ADD COLUMN purge_at bigint CHECK ((purge_at IS NULL) = (deleted_at IS NULL));
-- A line for each label, by ascending key: key=value and a line feed. NULL without labels.
ALTER TABLE users ADD COLUMN labels text CHECK (labels <> '');

CREATE INDEX users_by_name ON users (name_key, id) WHERE name_key <> '';
CREATE INDEX users_by_update ON users ((coalesce(updated_at, created_at)), id);
CREATE INDEX users_inactive ON users (id) WHERE status = 2;
CREATE INDEX users_deleted ON users (purge_at) WHERE purge_at IS NOT NULL;

-- What is left of users that were purged: nothing about them, but the epoch that their tokens do not reach. A token may be
-- valid for longer than its user is retained, and an import may bring the id back.
CREATE TABLE erased_users (
  user_id    uuid   NOT NULL PRIMARY KEY,
  epoch      bigint NOT NULL,
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  began_at   bigint NOT NULL,
  -- The row is of no use after this: every token of the user has expired.
  kept_until bigint NOT NULL
);

CREATE INDEX erased_users_by_kept_until ON erased_users (kept_until);

-- The labels of users.labels once more, to find users by them: as bytes, because a search may be for any text.
CREATE TABLE user_labels (
  key     bytea NOT NULL,
  value   bytea NOT NULL,
  user_id uuid  NOT NULL,
  PRIMARY KEY (key, value, user_id)
);

"""###, down: ###"""
-- Forgets times of change and labels. Deleted users become inactive ones, which cannot sign in either.
UPDATE users SET status = 2 WHERE deleted_at IS NOT NULL;

DROP TABLE user_labels;
DROP TABLE erased_users;
DROP INDEX users_by_name;
DROP INDEX users_inactive;
ALTER TABLE users DROP COLUMN labels, DROP COLUMN purge_at, DROP COLUMN deleted_at, DROP COLUMN updated_at;

"""###),
  ]
}
