-- needs: 1
-- The oldest message that is left, and whether there are older ones to delete: 1, or NULL.
ALTER TABLE chat_rooms ADD COLUMN first_seq BIGINT NOT NULL DEFAULT 1;
ALTER TABLE chat_rooms ADD COLUMN expiring BIGINT;
CREATE INDEX chat_rooms_expiring ON chat_rooms (num) WHERE expiring = 1;
