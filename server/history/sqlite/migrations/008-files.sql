-- Files that were uploaded. Their bytes are elsewhere: see CHAT_FILES. state: 0 loose, 1 carried by the message `seq`,
-- 2 dropped, which means that the bytes are to be deleted.
CREATE TABLE files (
  id TEXT NOT NULL PRIMARY KEY,
  room INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  seq INTEGER,
  state INTEGER NOT NULL,
  at INTEGER NOT NULL,
  about TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX files_to_delete ON files (state, at) WHERE state <> 1;
CREATE INDEX files_by_room ON files (room, seq);

-- Those that a message carries, as it shows them.
ALTER TABLE messages ADD COLUMN files TEXT;
