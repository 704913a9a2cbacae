-- needs: 1
-- Whom users have blocked.
CREATE TABLE chat_blocked (
  user_id TEXT COLLATE "C" NOT NULL,
  other_id TEXT COLLATE "C" NOT NULL,
  since BIGINT NOT NULL,
  PRIMARY KEY (user_id, other_id)
);
