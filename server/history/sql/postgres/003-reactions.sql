-- needs: 1
-- What a message has beside its text, as JSON: see rows.ts. A version that does not know it leaves it as it is.
ALTER TABLE chat_messages ADD COLUMN rich TEXT;

-- Who has reacted to a message, and in which order.
CREATE TABLE chat_reactions (
  room BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  emoji TEXT COLLATE "C" NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL,
  place BIGINT NOT NULL,
  PRIMARY KEY (room, seq, emoji, user_id),
  -- The version before deletes messages and knows nothing of this table.
  FOREIGN KEY (room, seq) REFERENCES chat_messages (room, seq) ON DELETE CASCADE
);
CREATE INDEX chat_reactions_by_place ON chat_reactions (room, seq, emoji, place);
