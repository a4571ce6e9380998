-- Forgets times of change and labels. Deleted users become inactive ones, which cannot sign in either.
UPDATE users SET status = 2 WHERE deleted_at IS NOT NULL;

DROP TABLE user_labels;
DROP TABLE erased_users;
DROP INDEX users_by_name;
DROP INDEX users_inactive;
ALTER TABLE users DROP COLUMN labels, DROP COLUMN purge_at, DROP COLUMN deleted_at, DROP COLUMN updated_at;
