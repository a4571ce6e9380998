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
