-- needs: 1
-- As in postgres/011-reports.sql. Each statement can be carried out again.
CREATE TABLE IF NOT EXISTS chat_reports (
  num BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id VARBINARY(64) NOT NULL UNIQUE,
  room BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  by_id VARBINARY(256) NOT NULL,
  reason VARCHAR(64) NOT NULL,
  note TEXT,
  reported_at BIGINT NOT NULL,
  message MEDIUMTEXT,
  closed TEXT,
  UNIQUE (room, seq, by_id),
  KEY (room, num),
  FOREIGN KEY (room, seq) REFERENCES chat_messages (room, seq) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS reports BIGINT;
