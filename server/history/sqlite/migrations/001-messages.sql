-- The first tables. `head` counts a room's changes, `last_seq` its messages; both without gaps.
CREATE TABLE rooms (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
  head INTEGER NOT NULL DEFAULT 0,
  last_seq INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
  user_id TEXT NOT NULL,
  room TEXT NOT NULL REFERENCES rooms (id),
  read_seq INTEGER NOT NULL,
  PRIMARY KEY (user_id, room)
) STRICT, WITHOUT ROWID;

-- `digest` is a keyed digest of the text and reply as first sent: a repeat is told from a conflict by it even
-- when the text itself has been edited or deleted.
CREATE TABLE messages (
  room TEXT NOT NULL REFERENCES rooms (id),
  seq INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  text TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  reply_to INTEGER,
  digest BLOB NOT NULL,
  PRIMARY KEY (room, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX messages_by_rev ON messages (room, rev);
CREATE UNIQUE INDEX messages_by_client_id ON messages (room, user_id, client_id);

-- The key of the digests: it stays with the messages, so that a copy of this file is a whole backup.
CREATE TABLE digest_key (key BLOB NOT NULL) STRICT;
INSERT INTO digest_key VALUES (randomblob(32));
