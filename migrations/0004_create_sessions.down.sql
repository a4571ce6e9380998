-- Ends every session, and forgets which access tokens were revoked and who has guessed passwords.
DROP TABLE sign_in_attempts;
DROP TABLE token_epochs;
DROP TABLE sessions;
