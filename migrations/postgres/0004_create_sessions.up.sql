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
