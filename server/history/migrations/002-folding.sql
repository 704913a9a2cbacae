-- needs: 1
-- The version of the keys and terms: see `foldingVersion` in server/text/folding.ts. Rows of an earlier version are
-- renewed in the background.
ALTER TABLE chat_users ADD COLUMN IF NOT EXISTS folding INT NOT NULL DEFAULT 0; -- PostgreSQL, MariaDB
ALTER TABLE chat_users ADD COLUMN folding INT NOT NULL DEFAULT 0; -- SQLite
CREATE INDEX IF NOT EXISTS chat_users_by_folding ON chat_users (folding, id);

-- From here on: PostgreSQL, MariaDB

ALTER TABLE chat_blocks ADD COLUMN IF NOT EXISTS folding INT NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS chat_blocks_by_folding ON chat_blocks (folding, room, block);
