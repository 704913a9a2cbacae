-- needs: 1
-- For several servers: what each transaction has changed, numbered in the order of the commits. The number is counted
-- in one row whose lock a transaction holds until it has ended, so none is left out and none is seen before a lower one.
CREATE TABLE chat_position (
  id TEXT COLLATE "C" PRIMARY KEY,
  num BIGINT NOT NULL
);

-- JSON; of messages only where they are, so that no text outlives its deletion. Kept for an hour.
CREATE TABLE chat_changes (
  num BIGINT PRIMARY KEY,
  since BIGINT NOT NULL,
  changes TEXT NOT NULL
);
CREATE INDEX chat_changes_by_time ON chat_changes (since);
