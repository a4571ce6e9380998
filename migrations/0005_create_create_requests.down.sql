-- Forgets the requests: one that is repeated after this finds its address taken.
DROP TABLE create_requests;
