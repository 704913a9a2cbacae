-- needs: 1
-- Whom a message mentions, and where in its text, as JSON: [[id, start, length], ...].
ALTER TABLE chat_messages ADD COLUMN mentions TEXT;

-- The same by users, once each: how many of their unread messages mention them. `*` mentions everybody in the room.
CREATE TABLE chat_mentions (
  room BIGINT NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (room, user_id, seq),
  FOREIGN KEY (room, seq) REFERENCES chat_messages (room, seq) ON DELETE CASCADE
);
CREATE INDEX chat_mentions_by_message ON chat_mentions (room, seq);
