-- Deletes every user.
DROP TABLE users;
