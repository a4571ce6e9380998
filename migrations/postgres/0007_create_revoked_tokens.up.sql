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
