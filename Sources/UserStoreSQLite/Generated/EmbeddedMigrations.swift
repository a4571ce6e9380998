// Generated from migrations/ by ./dev generate. Do not edit.
// swift-format-ignore-file

public import UserStore

extension Migration {
  /// The migrations of this program, byte for byte as in migrations/.
  public static let embedded: [Migration] = [
Migration(version: 1, name: "create_users", up: ###"""
-- Users, in the order of their ids.
--
-- id is a UUIDv7 of 16 bytes. It is the primary key of a table WITHOUT ROWID, so the table itself is the index
-- that point reads and keyset pagination walk: one B-tree, and new users are appended at its end.
--
-- email is kept as given. email_key is the same address with the differences of letter case removed, by the
-- program, because SQLite's NOCASE knows ASCII only. Its UNIQUE constraint decides who owns an address.
CREATE TABLE users (
  id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  email      TEXT    NOT NULL,
  email_key  TEXT    NOT NULL UNIQUE,
  name       TEXT    NOT NULL,
  -- As user.v1.UserStatus: 1 active, 2 inactive.
  status     INTEGER NOT NULL CHECK (status IN (1, 2)),
  -- Microseconds since 1970-01-01T00:00:00Z.
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

"""###, down: ###"""
-- Deletes every user.
DROP TABLE users;

"""###),
Migration(version: 2, name: "create_password_credentials", up: ###"""
-- Password hashes, apart from users: listings and look-ups do not drag them along, and no statement that answers
-- a read of users can reach them by mistake. A user without a row here cannot sign in by password.
CREATE TABLE password_credentials (
  user_id  BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  -- PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$tag
  phc_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;

"""###, down: ###"""
-- Deletes every password hash: no user can sign in by password any more.
DROP TABLE password_credentials;

"""###),
Migration(version: 3, name: "create_secrets", up: ###"""
-- Keys that belong to the database rather than to a process, such as the one that page tokens are signed with: they
-- survive a restart, and what was signed for one database is worth nothing to another.
CREATE TABLE secrets (
  name  TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

"""###, down: ###"""
-- Forgets every key: page tokens that were given out are refused from now on.
DROP TABLE secrets;

"""###),
Migration(version: 4, name: "create_sessions", up: ###"""
-- Sessions: what a sign-in begins, and a refresh token continues.
CREATE TABLE sessions (
  -- 16 random bytes; in access tokens as `sid`.
  id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id        BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of the refresh token that is good now, and of the one before it.
  token_hash     BLOB    NOT NULL CHECK (length(token_hash) = 32),
  previous_hash  BLOB             CHECK (length(previous_hash) = 32),
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  rotated_at     INTEGER NOT NULL,
  -- When the session ends, however often it is refreshed.
  expires_at     INTEGER NOT NULL,
  -- When it was ended before its time; NULL while it lives.
  ended_at       INTEGER,
  -- The row is of no use after this: its refresh token has expired, or all access tokens of an ended session have.
  kept_until     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_kept_until ON sessions (kept_until);
CREATE INDEX sessions_ended ON sessions (kept_until) WHERE ended_at IS NOT NULL;

-- Users whose tokens were revoked: a token of an earlier epoch is no good any more. A user without a row is in epoch 0.
CREATE TABLE token_epochs (
  user_id  BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  epoch    INTEGER NOT NULL,
  began_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO token_epochs (user_id, epoch, began_at)
  SELECT id, 1, CAST(strftime('%s', 'now') AS INTEGER) * 1000000 FROM users WHERE status = 2;

-- Sign-ins that have not succeeded, whether or not the address belongs to a user.
CREATE TABLE sign_in_attempts (
  -- SHA-256 of the address without its differences of letter case: what was typed there by mistake is not kept.
  account  BLOB    NOT NULL PRIMARY KEY CHECK (length(account) = 32),
  -- How many in a row.
  failures INTEGER NOT NULL CHECK (failures >= 0),
  last_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_attempts_by_last_at ON sign_in_attempts (last_at);

"""###, down: ###"""
-- Ends every session, and forgets which access tokens were revoked and who has guessed passwords.
DROP TABLE sign_in_attempts;
DROP TABLE token_epochs;
DROP TABLE sessions;

"""###),
Migration(version: 5, name: "create_create_requests", up: ###"""
-- Requests to create a user that their clients have given an id, so that they can be repeated: an answer may get lost.
CREATE TABLE create_requests (
  -- A UUID of 16 bytes, chosen by the client.
  id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of the address and the name. The password is compared with its Argon2id hash: a fast hash of it here would
  -- help whoever steals the database to guess it.
  content_hash BLOB    NOT NULL CHECK (length(content_hash) = 32),
  -- Microseconds since 1970-01-01T00:00:00Z, as users.created_at.
  made_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX create_requests_by_user ON create_requests (user_id);
CREATE INDEX create_requests_by_made_at ON create_requests (made_at);

"""###, down: ###"""
-- Forgets the requests: one that is repeated after this finds its address taken.
DROP TABLE create_requests;

"""###),
Migration(version: 6, name: "create_sign_in_counters", up: ###"""
-- Failed sign-ins, counted by account and by where they come from, so that one who guesses keeps no other from signing
-- in. An account is a user's id (16 bytes) or, for an address that no user has, SHA-256 of the address without its
-- differences of letter case (32 bytes): what was typed there by mistake is not kept.
DROP TABLE sign_in_attempts;

CREATE TABLE sign_in_attempts (
  account  BLOB    NOT NULL CHECK (length(account) IN (16, 32)),
  -- The first 16 bytes of SHA-256 of the network's name.
  network  BLOB    NOT NULL CHECK (length(network) = 16),
  -- How many in a row.
  failures INTEGER NOT NULL CHECK (failures >= 0),
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  last_at  INTEGER NOT NULL,
  PRIMARY KEY (account, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_attempts_by_last_at ON sign_in_attempts (last_at);

-- The same for an account alone, from all networks together: so many in a row end sign-in by password.
CREATE TABLE sign_in_accounts (
  account  BLOB    NOT NULL PRIMARY KEY CHECK (length(account) IN (16, 32)),
  failures INTEGER NOT NULL CHECK (failures >= 0),
  last_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rows that may be forgotten in time: those of users who may sign in no more by password stay.
CREATE INDEX sign_in_accounts_counting ON sign_in_accounts (last_at) WHERE failures < 100;
CREATE INDEX sign_in_accounts_unknown ON sign_in_accounts (last_at) WHERE failures >= 100 AND length(account) = 32;

-- Devices that have signed in: each is named by the session that it began last, whose refresh tokens it shows. They
-- outlive their sessions, and have a count of failures of their own.
CREATE TABLE known_devices (
  session_id BLOB    NOT NULL PRIMARY KEY CHECK (length(session_id) = 16),
  user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  failures   INTEGER NOT NULL CHECK (failures >= 0),
  -- When it last signed in or failed to.
  last_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX known_devices_by_user ON known_devices (user_id, last_at);
CREATE INDEX known_devices_by_last_at ON known_devices (last_at);

-- Devices that are signed in now are known.
INSERT INTO known_devices (session_id, user_id, failures, last_at)
  SELECT id, user_id, 0, rotated_at FROM sessions;

"""###, down: ###"""
-- Forgets who has guessed passwords and which devices are known; accounts whose sign-in had ended may sign in again.
DROP TABLE known_devices;
DROP TABLE sign_in_accounts;
DROP TABLE sign_in_attempts;

CREATE TABLE sign_in_attempts (
  account  BLOB    NOT NULL PRIMARY KEY CHECK (length(account) = 32),
  failures INTEGER NOT NULL CHECK (failures >= 0),
  last_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_attempts_by_last_at ON sign_in_attempts (last_at);

"""###),
Migration(version: 7, name: "create_revoked_tokens", up: ###"""
-- Access tokens that were revoked one by one, before they expire: those of services have neither a session nor an epoch.
CREATE TABLE revoked_tokens (
  -- The token's `jti`, 16 random bytes.
  id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  -- Whose token it was, and when it expires; NULL where only the id was given.
  subject    TEXT,
  expires_at INTEGER,
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  revoked_at INTEGER NOT NULL,
  -- The row is of no use after this: the token has expired, by any clock.
  kept_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

"""###, down: ###"""
-- Forgets which tokens were revoked one by one: those that have not expired are accepted again.
DROP TABLE revoked_tokens;

"""###),
Migration(version: 8, name: "canonical_email_keys", up: ###"""
-- Recomputes email_key: two addresses are one when the parts before the @ are equal by Unicode's canonical caseless
-- matching (definition D145) and the domains by their A-labels (IDNA 2008). ASCII addresses keep their keys.
--
-- The program defines two functions for this. user_service_email_key(email, rule) is the key by rule 1, of the versions
-- before, or rule 2. user_service_refuse_shared_address(id, id, count) fails, and names two users whose addresses are
-- one by the other rule: which of the two keeps it is for people to decide, so nothing is changed then.
CREATE TEMP TABLE changed_email_keys (
  id        BLOB NOT NULL PRIMARY KEY,
  email_key TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO changed_email_keys
  -- The limit keeps SQLite from computing each key twice.
  SELECT id, new_key
  FROM (SELECT id, email_key, user_service_email_key(email, 2) AS new_key FROM users LIMIT -1)
  WHERE new_key <> email_key;

WITH shared (first, second) AS (
  SELECT one.id, other.id
  FROM changed_email_keys AS one JOIN changed_email_keys AS other
    ON one.email_key = other.email_key AND one.id < other.id
  UNION ALL
  SELECT users.id, changed.id
  FROM changed_email_keys AS changed JOIN users ON users.email_key = changed.email_key
  WHERE users.id NOT IN (SELECT id FROM changed_email_keys)
)
SELECT user_service_refuse_shared_address(first, second, number)
FROM (SELECT min(first) AS first, second, count(*) AS number FROM shared)
WHERE number > 0;

-- In two steps: a user's new key may be another's old one, and UNIQUE is checked row by row.
UPDATE users SET email_key = hex(id) WHERE id IN (SELECT id FROM changed_email_keys);
UPDATE users
  SET email_key = (SELECT email_key FROM changed_email_keys AS changed WHERE changed.id = users.id)
  WHERE id IN (SELECT id FROM changed_email_keys);

DROP TABLE changed_email_keys;

"""###, down: ###"""
-- Gives every address the key of the rule before: letter case and composition (NFC) made no difference, and a domain
-- was compared like the part before the @. Refused, as on the way up, where that would make two users' addresses one.
CREATE TEMP TABLE changed_email_keys (
  id        BLOB NOT NULL PRIMARY KEY,
  email_key TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO changed_email_keys
  -- The limit keeps SQLite from computing each key twice.
  SELECT id, new_key
  FROM (SELECT id, email_key, user_service_email_key(email, 1) AS new_key FROM users LIMIT -1)
  WHERE new_key <> email_key;

WITH shared (first, second) AS (
  SELECT one.id, other.id
  FROM changed_email_keys AS one JOIN changed_email_keys AS other
    ON one.email_key = other.email_key AND one.id < other.id
  UNION ALL
  SELECT users.id, changed.id
  FROM changed_email_keys AS changed JOIN users ON users.email_key = changed.email_key
  WHERE users.id NOT IN (SELECT id FROM changed_email_keys)
)
SELECT user_service_refuse_shared_address(first, second, number)
FROM (SELECT min(first) AS first, second, count(*) AS number FROM shared)
WHERE number > 0;

-- In two steps: a user's new key may be another's old one, and UNIQUE is checked row by row.
UPDATE users SET email_key = hex(id) WHERE id IN (SELECT id FROM changed_email_keys);
UPDATE users
  SET email_key = (SELECT email_key FROM changed_email_keys AS changed WHERE changed.id = users.id)
  WHERE id IN (SELECT id FROM changed_email_keys);

DROP TABLE changed_email_keys;

"""###),
Migration(version: 9, name: "user_lifecycle", up: ###"""
-- The rest of a user's life: changes, deletion, labels and search. All new columns of users are NULL for most of them,
-- so that rows do not grow.
--
-- When the user was last changed, in microseconds since 1970-01-01T00:00:00Z; NULL until then.
ALTER TABLE users ADD COLUMN updated_at INTEGER;
-- When the user was deleted, and when it will be purged; NULL unless it is deleted.
ALTER TABLE users ADD COLUMN deleted_at INTEGER;
ALTER TABLE users ADD COLUMN purge_at INTEGER CHECK ((purge_at IS NULL) = (deleted_at IS NULL));
-- A line for each label, by ascending key: key=value and a line feed. NULL without labels.
ALTER TABLE users ADD COLUMN labels TEXT CHECK (labels <> '');
-- A name without its differences of letter case and composition; NULL where SQLite's lower() does the same, as for ASCII.
ALTER TABLE users ADD COLUMN name_key TEXT;
-- The user's place in the order of creation, a UUIDv7; NULL where that is its id, as for all users that were created here.
ALTER TABLE users ADD COLUMN place BLOB CHECK (length(place) = 16);
-- What the indexes below are over. They take no room in the rows.
ALTER TABLE users ADD COLUMN changed_at INTEGER AS (coalesce(updated_at, created_at));
ALTER TABLE users ADD COLUMN searched_name TEXT AS (coalesce(name_key, lower(name)));

-- The program defines two functions for this. user_service_name_key(name) and user_service_place(id, created_at) are
-- the two columns above.
UPDATE users SET name_key = user_service_name_key(name) WHERE user_service_name_key(name) IS NOT NULL;
UPDATE users SET place = user_service_place(id, created_at) WHERE user_service_place(id, created_at) IS NOT NULL;

-- Built anew: the pages of the old index may have traces of addresses that are not in use any more.
REINDEX users;

CREATE INDEX users_by_name ON users (searched_name) WHERE name <> '';
CREATE INDEX users_by_update ON users (changed_at);
CREATE INDEX users_inactive ON users (status) WHERE status = 2;
CREATE INDEX users_deleted ON users (purge_at) WHERE purge_at IS NOT NULL;
CREATE UNIQUE INDEX users_by_place ON users (place) WHERE place IS NOT NULL;

-- What is left of users that were purged: nothing about them, but the epoch that their tokens do not reach. A token may be
-- valid for longer than its user is retained, and an import may bring the id back.
CREATE TABLE erased_users (
  user_id    BLOB    NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
  epoch      INTEGER NOT NULL,
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  began_at   INTEGER NOT NULL,
  -- The row is of no use after this: every token of the user has expired.
  kept_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX erased_users_by_kept_until ON erased_users (kept_until);

-- The labels of users.labels once more, to find users by them.
CREATE TABLE user_labels (
  key     TEXT NOT NULL,
  value   TEXT NOT NULL,
  user_id BLOB NOT NULL,
  PRIMARY KEY (key, value, user_id)
) STRICT, WITHOUT ROWID;

"""###, down: ###"""
-- Forgets times of change and labels. Deleted users become inactive ones, which cannot sign in either.
UPDATE users SET status = 2 WHERE deleted_at IS NOT NULL;

DROP TABLE user_labels;
DROP TABLE erased_users;
DROP INDEX users_by_place;
DROP INDEX users_deleted;
DROP INDEX users_inactive;
DROP INDEX users_by_update;
DROP INDEX users_by_name;

ALTER TABLE users DROP COLUMN searched_name;
ALTER TABLE users DROP COLUMN changed_at;
ALTER TABLE users DROP COLUMN place;
ALTER TABLE users DROP COLUMN name_key;
ALTER TABLE users DROP COLUMN labels;
ALTER TABLE users DROP COLUMN purge_at;
ALTER TABLE users DROP COLUMN deleted_at;
ALTER TABLE users DROP COLUMN updated_at;

"""###),
  ]
}
