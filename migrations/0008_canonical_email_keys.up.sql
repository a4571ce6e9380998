-- Recomputes email_key: two addresses are one when the parts before the @ are equal by Unicode's canonical caseless
-- matching (definition D145) and the domains by their A-labels (IDNA 2008). ASCII addresses keep their keys.
--
-- The program defines two functions for this. user_service_email_key(email, rule) is the key by rule 1, of the versions
-- before, or rule 2. user_service_refuse_shared_address(id, id, count) fails, and names two users whose addresses are
-- one by the other rule: which of the two keeps it is for people to decide, so nothing is changed then.
CREATE TEMP TABLE changed_email_keys (
  id        BLOB NOT NULL PRIMARY KEY,
  email_key TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO changed_email_keys
  -- The limit keeps SQLite from computing each key twice.
  SELECT id, new_key
  FROM (SELECT id, email_key, user_service_email_key(email, 2) AS new_key FROM users LIMIT -1)
  WHERE new_key <> email_key;

WITH shared (first, second) AS (
  SELECT one.id, other.id
  FROM changed_email_keys AS one JOIN changed_email_keys AS other
    ON one.email_key = other.email_key AND one.id < other.id
  UNION ALL
  SELECT users.id, changed.id
  FROM changed_email_keys AS changed JOIN users ON users.email_key = changed.email_key
  WHERE users.id NOT IN (SELECT id FROM changed_email_keys)
)
SELECT user_service_refuse_shared_address(first, second, number)
FROM (SELECT min(first) AS first, second, count(*) AS number FROM shared)
WHERE number > 0;

-- In two steps: a user's new key may be another's old one, and UNIQUE is checked row by row.
UPDATE users SET email_key = hex(id) WHERE id IN (SELECT id FROM changed_email_keys);
UPDATE users
  SET email_key = (SELECT email_key FROM changed_email_keys AS changed WHERE changed.id = users.id)
  WHERE id IN (SELECT id FROM changed_email_keys);

DROP TABLE changed_email_keys;
