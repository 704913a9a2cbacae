-- needs: 1
-- As in postgres/005-retention.sql. Each statement can be carried out again.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS first_seq BIGINT NOT NULL DEFAULT 1;
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS expiring BIGINT;
CREATE INDEX IF NOT EXISTS chat_rooms_expiring ON chat_rooms (expiring);
