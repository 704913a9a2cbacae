-- needs: 1
-- As in postgres/014-restricted-by.sql. Each statement can be carried out again.
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS muted_by VARBINARY(256) AS (JSON_VALUE(restricted, '$.muted.by')) VIRTUAL;
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS banned_by VARBINARY(256) AS (JSON_VALUE(restricted, '$.banned.by')) VIRTUAL;
CREATE INDEX IF NOT EXISTS chat_members_by_muter ON chat_members (muted_by);
CREATE INDEX IF NOT EXISTS chat_members_by_banner ON chat_members (banned_by);
