-- needs: 1
-- As in postgres/006-files.sql. Each statement can be carried out again.
CREATE TABLE IF NOT EXISTS chat_files (
  id VARBINARY(64) NOT NULL PRIMARY KEY,
  room BIGINT NOT NULL,
  user_id VARBINARY(256) NOT NULL,
  seq BIGINT,
  state BIGINT NOT NULL,
  at BIGINT NOT NULL,
  about MEDIUMTEXT NOT NULL,
  KEY (state, at),
  KEY (room, seq)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

ALTER TABLE chat_messages ADD COLUMN IF NOT EXISTS files MEDIUMTEXT;
