-- needs: 1
-- Files that were uploaded. Their bytes are elsewhere: see CHAT_FILES. state: 0 loose, 1 carried by the message `seq`,
-- 2 dropped, which means that the bytes are to be deleted.
CREATE TABLE chat_files (
  id TEXT COLLATE "C" PRIMARY KEY,
  room BIGINT NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL,
  seq BIGINT,
  state BIGINT NOT NULL,
  at BIGINT NOT NULL,
  about TEXT NOT NULL
);
CREATE INDEX chat_files_to_delete ON chat_files (state, at) WHERE state <> 1;
CREATE INDEX chat_files_by_room ON chat_files (room, seq);

-- Those that a message carries, as it shows them.
ALTER TABLE chat_messages ADD COLUMN files TEXT;
