-- Who has reacted to a message, and in which order. How many there are stands with the message, in `rich`.
CREATE TABLE reactions (
  message INTEGER NOT NULL REFERENCES messages (num) ON DELETE CASCADE,
  emoji TEXT NOT NULL,
  user_id TEXT NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (message, emoji, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reactions_by_place ON reactions (message, emoji, place);
