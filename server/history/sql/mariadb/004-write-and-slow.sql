-- needs: 1
-- As in postgres/004-write-and-slow.sql. Each statement can be carried out again.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS writers VARCHAR(16);
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS slow BIGINT;
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS wrote_at BIGINT;
