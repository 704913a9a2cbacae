-- needs: 1
-- As in postgres/002-changes.sql. Each statement can be carried out again.
CREATE TABLE IF NOT EXISTS chat_position (
  id VARBINARY(64) PRIMARY KEY,
  num BIGINT NOT NULL
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS chat_changes (
  num BIGINT PRIMARY KEY,
  since BIGINT NOT NULL,
  changes LONGTEXT NOT NULL,
  KEY (since)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
