-- 1: the user has ended the membership, and people do not begin it again.
ALTER TABLE members ADD COLUMN has_left INTEGER NOT NULL DEFAULT 0;
