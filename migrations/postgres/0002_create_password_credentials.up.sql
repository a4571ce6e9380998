-- Password hashes, apart from users: no statement that answers a read of users can reach them by mistake. A user without a
-- row here cannot sign in by password.
CREATE TABLE password_credentials (
  user_id  uuid NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  -- PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$tag
  phc_hash text NOT NULL
);
