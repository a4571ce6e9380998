-- Deletes every password hash: no user can sign in by password any more.
DROP TABLE password_credentials;
