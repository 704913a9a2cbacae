-- Reports of messages. `message` is the message as it was then, as JSON; it and the note go when the report is closed.
CREATE TABLE reports (
  num INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  room INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  by_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  note TEXT,
  reported_at INTEGER NOT NULL,
  message TEXT,
  closed TEXT,
  FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
) STRICT;

CREATE UNIQUE INDEX reports_by_message ON reports (room, seq, by_id);
CREATE INDEX reports_open ON reports (num) WHERE closed IS NULL;
CREATE INDEX reports_open_by_room ON reports (room, num) WHERE closed IS NULL;

-- How many are open; NULL for none.
ALTER TABLE rooms ADD COLUMN reports INTEGER;
