-- needs: 1
-- Searches for an author or a period start from the search index. Blocks without a range of times are indexed again in
-- the background: see `termsVersion` in history/engine/terms.ts.

-- From here on: PostgreSQL, MariaDB

-- When the messages of the block were sent: the range of their times.
ALTER TABLE chat_blocks ADD COLUMN IF NOT EXISTS first_at INT;
ALTER TABLE chat_blocks ADD COLUMN IF NOT EXISTS last_at INT;

-- From here on: SQLite

-- The author of the message, which the search index contains too.
ALTER TABLE former_texts ADD COLUMN author BYTES(256) NOT NULL DEFAULT '';
