-- needs: 1
-- As in postgres/017-left.sql.
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS has_left BIGINT NOT NULL DEFAULT 0;
