-- Rooms of every kind, members with roles and sources, users, bans, edits and deletions.
-- name_key(), sort_key() and find_keys() are those of text-keys.ts.

ALTER TABLE rooms RENAME TO rooms_1;
ALTER TABLE members RENAME TO members_1;
ALTER TABLE messages RENAME TO messages_1;
DROP INDEX messages_by_rev;
DROP INDEX messages_by_client_id;

-- `num` stands for the room in the other tables: their indexes hold it in each row.
CREATE TABLE rooms (
  num INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('public', 'private', 'direct')),
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  topic TEXT,
  head INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  access INTEGER NOT NULL,
  members INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT,
  client_id TEXT,
  pair_low TEXT,
  pair_high TEXT
) STRICT;

CREATE UNIQUE INDEX rooms_by_name ON rooms (name_key) WHERE kind = 'public';
CREATE UNIQUE INDEX rooms_by_pair ON rooms (pair_low, pair_high) WHERE kind = 'direct';
CREATE UNIQUE INDEX rooms_by_maker ON rooms (created_by, client_id) WHERE client_id IS NOT NULL;

-- A row stays when a membership ends: `sources` is 0 then. `sort` is the user's sort_key, so that a page of members
-- is read in order however large the room is.
CREATE TABLE members (
  user_id TEXT NOT NULL,
  room INTEGER NOT NULL REFERENCES rooms (num) ON DELETE CASCADE,
  sources INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'moderator', 'member')),
  read_seq INTEGER NOT NULL,
  notify TEXT,
  acted INTEGER NOT NULL,
  since INTEGER NOT NULL,
  sort TEXT NOT NULL,
  PRIMARY KEY (user_id, room)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_name ON members (room, sort, user_id) WHERE sources <> 0;
CREATE INDEX members_by_role ON members (room, role, since) WHERE sources <> 0 AND role <> 'member';

-- `rich`: JSON for what a message may carry beside its text. `digest` is a keyed digest of the text and reply as
-- first sent: a repeat is told from a conflict by it even when the text itself has been edited or deleted.
CREATE TABLE messages (
  num INTEGER PRIMARY KEY,
  room INTEGER NOT NULL REFERENCES rooms (num) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  text TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  edited_at INTEGER,
  deleted_at INTEGER,
  deleted_by TEXT,
  reply_to INTEGER,
  rich TEXT,
  digest BLOB NOT NULL
) STRICT;

-- What the search index still holds of texts that were edited or deleted: removed as soon as the index has followed.
CREATE TABLE former_texts (
  change INTEGER PRIMARY KEY AUTOINCREMENT,
  message INTEGER NOT NULL,
  room INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;

-- The least number that a message may get: none is used again, or the index would hold an old text for it. Not by
-- AUTOINCREMENT, which writes a page more for each message.
CREATE TABLE next_message (num INTEGER NOT NULL) STRICT;
INSERT INTO next_message VALUES (1);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  acted_public INTEGER NOT NULL,
  site_role TEXT
) STRICT, WITHOUT ROWID;

-- The beginnings by which a user is found.
CREATE TABLE user_keys (
  key TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  PRIMARY KEY (key, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bans (
  user_id TEXT PRIMARY KEY,
  until INTEGER,
  reason TEXT
) STRICT, WITHOUT ROWID;

INSERT INTO rooms (id, kind, name, name_key, head, last_seq, access, members, created_at)
  SELECT id, kind, name, name_key(name), head, last_seq, 0,
    (SELECT count(*) FROM members_1 WHERE members_1.room = rooms_1.id),
    coalesce((SELECT min(sent_at) FROM messages_1 WHERE messages_1.room = rooms_1.id), 0)
  FROM rooms_1;

INSERT INTO messages (room, seq, rev, id, client_id, user_id, user_name, text, sent_at, reply_to, digest)
  SELECT rooms.num, seq, rev, messages_1.id, messages_1.client_id, user_id, user_name, text, sent_at, reply_to, digest
  FROM messages_1 JOIN rooms ON rooms.id = messages_1.room
  ORDER BY sent_at, messages_1.room, seq;

CREATE UNIQUE INDEX messages_by_seq ON messages (room, seq);
CREATE UNIQUE INDEX messages_by_rev ON messages (room, rev);
CREATE UNIQUE INDEX messages_by_client_id ON messages (room, user_id, client_id);

-- All rooms of the version before are public, so everybody in it has acted in public. Who never wrote has no name yet.
INSERT INTO users (id, name, acted_public)
  SELECT user_id, coalesce((SELECT user_name FROM messages_1 AS m WHERE m.user_id = u.user_id ORDER BY sent_at DESC LIMIT 1), user_id), 1
  FROM (SELECT user_id FROM members_1 UNION SELECT user_id FROM messages_1) AS u;
INSERT OR IGNORE INTO user_keys (key, user_id)
  SELECT j.value, users.id FROM users, json_each(find_keys(users.id, users.name)) AS j;

INSERT INTO members (user_id, room, sources, role, read_seq, acted, since, sort)
  SELECT m.user_id, rooms.num, 4, 'member', min(m.read_seq, rooms.last_seq), 1, 0, sort_key(users.name)
  FROM members_1 AS m JOIN rooms ON rooms.id = m.room JOIN users ON users.id = m.user_id;

DROP TABLE messages_1;
DROP TABLE members_1;
DROP TABLE rooms_1;
