-- needs: 1
-- The bytes of a file, which `about` has, too: by the index they are added up for a room without a look at the files
-- themselves. A version before this one stores none.
ALTER TABLE chat_files ADD COLUMN size INT; -- SQLite
ALTER TABLE chat_files ADD COLUMN IF NOT EXISTS size INT; -- PostgreSQL, MariaDB
UPDATE chat_files SET size = (about ->> '$.size') WHERE state = 1 AND size IS NULL; -- SQLite
UPDATE chat_files SET size = CAST(substring(about FROM '"size":([0-9]+)') AS bigint) WHERE state = 1 AND size IS NULL; -- PostgreSQL
UPDATE chat_files SET size = json_value(about, '$.size') WHERE state = 1 AND size IS NULL; -- MariaDB
CREATE INDEX IF NOT EXISTS chat_files_by_size ON chat_files (room, state, seq, size);
