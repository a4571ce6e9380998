-- Keys that belong to the database rather than to a process, such as the one that page tokens are signed with: all services
-- of the database share them.
CREATE TABLE secrets (
  name  text  NOT NULL PRIMARY KEY,
  value bytea NOT NULL
);
