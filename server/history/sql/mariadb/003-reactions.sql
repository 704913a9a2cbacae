-- needs: 1
-- As in postgres/003-reactions.sql. Each statement can be carried out again.
ALTER TABLE chat_messages ADD COLUMN IF NOT EXISTS rich MEDIUMTEXT;

CREATE TABLE IF NOT EXISTS chat_reactions (
  room BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  emoji VARBINARY(160) NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  place BIGINT NOT NULL,
  PRIMARY KEY (room, seq, emoji, user_id),
  KEY (room, seq, emoji, place),
  FOREIGN KEY (room, seq) REFERENCES chat_messages (room, seq) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
