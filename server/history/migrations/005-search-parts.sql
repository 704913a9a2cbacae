-- needs: 1
-- The search index of the servers finds the messages of a block that may match. The blocks are indexed again in the
-- background: see `termsVersion` in history/engine/terms.ts.

-- From here on: PostgreSQL, MariaDB

-- The parts of the block that have the term, a bit for each: see `partSize` in history/engine/blocks.ts.
ALTER TABLE chat_terms ADD COLUMN IF NOT EXISTS parts INTEGER NOT NULL DEFAULT -1;
