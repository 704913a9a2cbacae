-- needs: 1
-- As in postgres/008-mentions.sql. Each statement can be carried out again.
ALTER TABLE chat_messages ADD COLUMN IF NOT EXISTS mentions MEDIUMTEXT;

CREATE TABLE IF NOT EXISTS chat_mentions (
  room BIGINT NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  seq BIGINT NOT NULL,
  PRIMARY KEY (room, user_id, seq),
  KEY (room, seq),
  FOREIGN KEY (room, seq) REFERENCES chat_messages (room, seq) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
