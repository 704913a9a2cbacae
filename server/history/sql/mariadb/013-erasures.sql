-- needs: 1
-- As in postgres/013-erasures.sql. Each statement can be carried out again.
CREATE TABLE IF NOT EXISTS chat_erasures (
  user_id VARBINARY(256) PRIMARY KEY,
  erases VARCHAR(16) NOT NULL,
  asked_at BIGINT NOT NULL,
  up_to BIGINT NOT NULL,
  stage VARCHAR(16) NOT NULL,
  place BIGINT NOT NULL,
  holder VARBINARY(64) NOT NULL,
  held_until BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS chat_erased_rooms (
  user_id VARBINARY(256) NOT NULL,
  room BIGINT NOT NULL,
  PRIMARY KEY (user_id, room)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;

ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS reset_rev BIGINT;

CREATE INDEX IF NOT EXISTS chat_mentions_by_user ON chat_mentions (user_id);
CREATE INDEX IF NOT EXISTS chat_files_by_user ON chat_files (user_id);
CREATE INDEX IF NOT EXISTS chat_blocked_by_other ON chat_blocked (other_id);
CREATE INDEX IF NOT EXISTS chat_rooms_by_high ON chat_rooms (pair_high);
