-- Users who are being erased, and how far that has come: see erasing.ts. `up_to`: the last message that was there when
-- the user ended. `holder` carries it out until `held_until`.
CREATE TABLE erasures (
  user_id TEXT PRIMARY KEY,
  erases TEXT NOT NULL CHECK (erases IN ('anonymise', 'delete')),
  asked_at INTEGER NOT NULL,
  up_to INTEGER NOT NULL,
  stage TEXT NOT NULL,
  place INTEGER NOT NULL,
  holder TEXT NOT NULL,
  held_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The rooms in which something has changed by it, until that is told.
CREATE TABLE erased_rooms (
  user_id TEXT NOT NULL REFERENCES erasures (user_id) ON DELETE CASCADE,
  room INTEGER NOT NULL REFERENCES rooms (num) ON DELETE CASCADE,
  PRIMARY KEY (user_id, room)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_rooms_by_room ON erased_rooms (room);

-- The head when so much had changed at once that what was known before says nothing; NULL if that has never happened.
ALTER TABLE rooms ADD COLUMN reset_rev INTEGER;

CREATE INDEX mentions_by_user ON mentions (user_id);
CREATE INDEX files_by_user ON files (user_id);
CREATE INDEX blocked_by_other ON blocked (other_id);
CREATE INDEX rooms_by_high ON rooms (pair_high) WHERE pair_high IS NOT NULL;
-- The database looks for them when a user is deleted.
CREATE INDEX user_keys_by_user ON user_keys (user_id);
