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
