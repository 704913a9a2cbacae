-- The oldest message that is left, and whether there are older ones to delete: 1, or NULL.
ALTER TABLE rooms ADD COLUMN first_seq INTEGER NOT NULL DEFAULT 1;
ALTER TABLE rooms ADD COLUMN expiring INTEGER;
CREATE INDEX rooms_expiring ON rooms (num) WHERE expiring = 1;
