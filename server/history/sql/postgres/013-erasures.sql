-- needs: 1
-- Users who are being erased, and how far that has come: see erasing.ts. `up_to`: the last message that was there when
-- the user ended. `holder`, one of the servers, carries it out until `held_until`.
CREATE TABLE chat_erasures (
  user_id TEXT COLLATE "C" PRIMARY KEY,
  erases TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  up_to BIGINT NOT NULL,
  stage TEXT NOT NULL,
  place BIGINT NOT NULL,
  holder TEXT NOT NULL,
  held_until BIGINT NOT NULL
);

-- The rooms in which something has changed by it, until that is told.
CREATE TABLE chat_erased_rooms (
  user_id TEXT COLLATE "C" NOT NULL,
  room BIGINT NOT NULL,
  PRIMARY KEY (user_id, room)
);

-- The head when so much had changed at once that what was known before says nothing; NULL if that has never happened.
ALTER TABLE chat_rooms ADD COLUMN reset_rev BIGINT;

CREATE INDEX chat_mentions_by_user ON chat_mentions (user_id);
CREATE INDEX chat_files_by_user ON chat_files (user_id);
CREATE INDEX chat_blocked_by_other ON chat_blocked (other_id);
CREATE INDEX chat_rooms_by_high ON chat_rooms (pair_high);
