DROP TABLE store_revision;
DROP TABLE users;
