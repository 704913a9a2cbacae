-- Whom users have blocked.
CREATE TABLE blocked (
  user_id TEXT NOT NULL,
  other_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (user_id, other_id)
) STRICT, WITHOUT ROWID;
