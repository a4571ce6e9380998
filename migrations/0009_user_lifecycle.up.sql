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
