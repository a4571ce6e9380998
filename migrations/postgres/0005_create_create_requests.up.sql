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
