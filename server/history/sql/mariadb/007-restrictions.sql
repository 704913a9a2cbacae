-- needs: 1
-- As in postgres/007-restrictions.sql. Each statement can be carried out again.
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS restricted TEXT;
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS restricted_until BIGINT;
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS held BIGINT;
ALTER TABLE chat_members ADD KEY IF NOT EXISTS chat_members_by_end (restricted_until);
