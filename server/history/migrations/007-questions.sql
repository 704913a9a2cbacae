-- needs: 1
-- Questions to the team of the site. A question is a private room with a `team`: see `RoomQuestion` in
-- history/records/room.ts.

-- The name of the team; NULL for other rooms. `asker` is NULL after the asker's erasure, `assigned` while nobody has
-- the question. The names are those at the time of asking and taking.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS team BYTES(64); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS asker BYTES(256); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS asker_name CHARS(255); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS assigned BYTES(256); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS assigned_name CHARS(255); -- PostgreSQL, MariaDB
-- When it was last opened, and when the asker's first message after the team's last one, the first answer after it was
-- opened, the closing and the last message came.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS opened_at INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS waiting_at INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS answered_at INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS closed_at INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS last_at INT; -- PostgreSQL, MariaDB
-- What it is about, as JSON.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS about LONG; -- PostgreSQL, MariaDB
-- The mail address of a guest: 'given' or 'verified'; NULL without address.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS reachable CHARS(16); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN team BYTES(64); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN asker BYTES(256); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN asker_name CHARS(255); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN assigned BYTES(256); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN assigned_name CHARS(255); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN opened_at INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN waiting_at INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN answered_at INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN closed_at INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN last_at INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN about LONG; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN reachable CHARS(16); -- SQLite
CREATE UNIQUE INDEX IF NOT EXISTS chat_rooms_by_asker ON chat_rooms (asker, team);
CREATE INDEX IF NOT EXISTS chat_rooms_by_assigned ON chat_rooms (assigned, team);
CREATE INDEX IF NOT EXISTS chat_rooms_by_team ON chat_rooms (team, closed_at);
CREATE INDEX IF NOT EXISTS chat_rooms_by_opening ON chat_rooms (team, opened_at);
-- Addresses that are deleted after a while.
CREATE INDEX IF NOT EXISTS chat_rooms_by_reachable ON chat_rooms (reachable, last_at);

-- Members of teams, from their first connection with the role until one without it.
CREATE TABLE IF NOT EXISTS chat_team (
  user_id BYTES(256) NOT NULL,
  team BYTES(64) NOT NULL,
  since INT NOT NULL,
  PRIMARY KEY (user_id, team)
) KEYED;
CREATE INDEX IF NOT EXISTS chat_team_by_team ON chat_team (team);

-- Notes of the team on questions. `seq` is the newest message of the room at that time, or 0.
CREATE TABLE IF NOT EXISTS chat_notes (
  room INT NOT NULL,
  id BYTES(64) NOT NULL,
  user_id BYTES(256) NOT NULL,
  user_name CHARS(255) NOT NULL,
  client_id BYTES(64) NOT NULL,
  seq INT NOT NULL,
  text LONG NOT NULL,
  at INT NOT NULL,
  PRIMARY KEY (room, id)
) KEYED;
CREATE INDEX IF NOT EXISTS chat_notes_by_user ON chat_notes (user_id);

-- Texts that a team keeps.
CREATE TABLE IF NOT EXISTS chat_snippets (
  team BYTES(64) NOT NULL,
  name BYTES(255) NOT NULL,
  text LONG NOT NULL,
  at INT NOT NULL,
  PRIMARY KEY (team, name)
) KEYED;

-- The number of guests with a mail address, by the digest of the address.
CREATE INDEX IF NOT EXISTS chat_mail_addresses_by_address ON chat_mail_addresses (address);
