-- Forgets times of change and labels. Deleted users become inactive ones, which cannot sign in either.
UPDATE users SET status = 2 WHERE deleted_at IS NOT NULL;

DROP TABLE user_labels;
DROP TABLE erased_users;
DROP INDEX users_by_place;
DROP INDEX users_deleted;
DROP INDEX users_inactive;
DROP INDEX users_by_update;
DROP INDEX users_by_name;

ALTER TABLE users DROP COLUMN searched_name;
ALTER TABLE users DROP COLUMN changed_at;
ALTER TABLE users DROP COLUMN place;
ALTER TABLE users DROP COLUMN name_key;
ALTER TABLE users DROP COLUMN labels;
ALTER TABLE users DROP COLUMN purge_at;
ALTER TABLE users DROP COLUMN deleted_at;
ALTER TABLE users DROP COLUMN updated_at;
