-- Users. Names and meanings are those of the SQLite schema; what differs is said here.
--
-- email_key is bytea, so that addresses are one by their bytes, in every collation of the server. name_key and place, which
-- only the program can compute, are here from the beginning.
CREATE TABLE users (
  id         uuid     NOT NULL PRIMARY KEY,
  email      text     NOT NULL,
  email_key  bytea    NOT NULL UNIQUE,
  name       text     NOT NULL,
  -- As user.v1.UserStatus: 1 active, 2 inactive.
  status     smallint NOT NULL CHECK (status IN (1, 2)),
  -- Microseconds since 1970-01-01T00:00:00Z.
  created_at bigint   NOT NULL,
  -- The name without its differences of letter case and composition.
  name_key   bytea    NOT NULL,
  -- The user's place in the order of creation, a UUIDv7; NULL where that is its id, as for all users that were created here.
  place      uuid
);

CREATE UNIQUE INDEX users_by_place ON users ((coalesce(place, id)));

-- One row, which every writing transaction updates first. Its lock makes the transactions of all services one sequence, as
-- those of one SQLite writer are, and its number is that of the last one.
CREATE TABLE store_revision (
  is_only boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (is_only),
  number  bigint  NOT NULL,
  -- The greatest id that is its user's place in the order of creation: later ones are greater.
  last_id uuid    NOT NULL
) WITH (fillfactor = 10);

INSERT INTO store_revision (number, last_id) VALUES (0, '00000000-0000-0000-0000-000000000000');
