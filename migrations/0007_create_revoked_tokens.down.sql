-- Forgets which tokens were revoked one by one: those that have not expired are accepted again.
DROP TABLE revoked_tokens;
