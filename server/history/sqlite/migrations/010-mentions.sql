-- Whom a message mentions, and where in its text: [[id, start, length], ...].
ALTER TABLE messages ADD COLUMN mentions TEXT;

-- The same by users, once each: how many of their unread messages mention them. `*` mentions everybody in the room.
CREATE TABLE mentions (
  room INTEGER NOT NULL,
  user_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (room, user_id, seq),
  FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX mentions_by_message ON mentions (room, seq);
