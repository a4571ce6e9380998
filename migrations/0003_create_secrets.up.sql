-- Keys that belong to the database rather than to a process, such as the one that page tokens are signed with: they
-- survive a restart, and what was signed for one database is worth nothing to another.
CREATE TABLE secrets (
  name  TEXT NOT NULL PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
