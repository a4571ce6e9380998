DROP TABLE known_devices;
DROP TABLE sign_in_accounts;
DROP TABLE sign_in_attempts;
