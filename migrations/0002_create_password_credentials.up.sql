-- Password hashes, apart from users: listings and look-ups do not drag them along, and no statement that answers
-- a read of users can reach them by mistake. A user without a row here cannot sign in by password.
CREATE TABLE password_credentials (
  user_id  BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  -- PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$tag
  phc_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
