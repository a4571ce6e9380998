-- Forgets every key: page tokens that were given out are refused from now on.
DROP TABLE secrets;
