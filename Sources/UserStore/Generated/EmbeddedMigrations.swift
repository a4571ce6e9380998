// Generated from migrations/ by ./dev generate. Do not edit.
// swift-format-ignore-file

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
  ]
}
