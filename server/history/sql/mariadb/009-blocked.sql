-- needs: 1
-- As in postgres/009-blocked.sql.
CREATE TABLE IF NOT EXISTS chat_blocked (
  user_id VARBINARY(256) NOT NULL,
  other_id VARBINARY(256) NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (user_id, other_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
