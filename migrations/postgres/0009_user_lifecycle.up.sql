-- The rest of a user's life: changes, deletion, labels and search.
--
-- When the user was last changed, in microseconds since 1970-01-01T00:00:00Z; NULL until then.
ALTER TABLE users ADD COLUMN updated_at bigint;
-- When the user was deleted, and when it will be purged; NULL unless it is deleted.
ALTER TABLE users ADD COLUMN deleted_at bigint;
ALTER TABLE users ADD COLUMN purge_at bigint CHECK ((purge_at IS NULL) = (deleted_at IS NULL));
-- A line for each label, by ascending key: key=value and a line feed. NULL without labels.
ALTER TABLE users ADD COLUMN labels text CHECK (labels <> '');

CREATE INDEX users_by_name ON users (name_key, id) WHERE name_key <> '';
CREATE INDEX users_by_update ON users ((coalesce(updated_at, created_at)), id);
CREATE INDEX users_inactive ON users (id) WHERE status = 2;
CREATE INDEX users_deleted ON users (purge_at) WHERE purge_at IS NOT NULL;

-- What is left of users that were purged: nothing about them, but the epoch that their tokens do not reach. A token may be
-- valid for longer than its user is retained, and an import may bring the id back.
CREATE TABLE erased_users (
  user_id    uuid   NOT NULL PRIMARY KEY,
  epoch      bigint NOT NULL,
  -- Times are in microseconds since 1970-01-01T00:00:00Z.
  began_at   bigint NOT NULL,
  -- The row is of no use after this: every token of the user has expired.
  kept_until bigint NOT NULL
);

CREATE INDEX erased_users_by_kept_until ON erased_users (kept_until);

-- The labels of users.labels once more, to find users by them: as bytes, because a search may be for any text.
CREATE TABLE user_labels (
  key     bytea NOT NULL,
  value   bytea NOT NULL,
  user_id uuid  NOT NULL,
  PRIMARY KEY (key, value, user_id)
);
