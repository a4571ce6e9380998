-- Forgets who has guessed passwords and which devices are known; accounts whose sign-in had ended may sign in again.
DROP TABLE known_devices;
DROP TABLE sign_in_accounts;
DROP TABLE sign_in_attempts;

CREATE TABLE sign_in_attempts (
  account  BLOB    NOT NULL PRIMARY KEY CHECK (length(account) = 32),
  failures INTEGER NOT NULL CHECK (failures >= 0),
  last_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_attempts_by_last_at ON sign_in_attempts (last_at);
