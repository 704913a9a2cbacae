-- needs: 1
-- The data of the moderators' page.

-- How many messages were sent in a room, by day. `day` is counted by UTC from 1970. The last day with messages stands in the
-- row of the room, which each message changes anyway, until the next one begins.
CREATE TABLE IF NOT EXISTS chat_days (
  room INT NOT NULL,
  day INT NOT NULL,
  sent INT NOT NULL,
  PRIMARY KEY (room, day)
) KEYED;
CREATE INDEX IF NOT EXISTS chat_days_by_day ON chat_days (day);
ALTER TABLE chat_rooms ADD COLUMN day INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN sent INT; -- SQLite
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS day INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS sent INT; -- PostgreSQL, MariaDB

-- When users came here for the first time; 0 of those who had been here before this table was made.
CREATE TABLE IF NOT EXISTS chat_arrivals (
  user_id BYTES(256) NOT NULL PRIMARY KEY,
  at INT NOT NULL
) KEYED;
CREATE INDEX IF NOT EXISTS chat_arrivals_by_time ON chat_arrivals (at, user_id);
INSERT INTO chat_arrivals (user_id, at)
  SELECT id, 0 FROM chat_users WHERE NOT EXISTS (SELECT 1 FROM chat_arrivals WHERE user_id = id);

-- By whom a user is banned; NULL for the PHP application.
ALTER TABLE chat_bans ADD COLUMN by_id BYTES(256); -- SQLite
ALTER TABLE chat_bans ADD COLUMN IF NOT EXISTS by_id BYTES(256); -- PostgreSQL, MariaDB
CREATE INDEX IF NOT EXISTS chat_bans_by_moderator ON chat_bans (by_id);

-- The author of the reported message.
ALTER TABLE chat_reports ADD COLUMN author_id BYTES(256); -- SQLite
ALTER TABLE chat_reports ADD COLUMN IF NOT EXISTS author_id BYTES(256); -- PostgreSQL, MariaDB
UPDATE chat_reports SET author_id = (
  SELECT user_id FROM chat_messages AS messages
  WHERE messages.room = chat_reports.room AND messages.seq = chat_reports.seq) WHERE author_id IS NULL;
CREATE INDEX IF NOT EXISTS chat_reports_by_author ON chat_reports (author_id, num);

-- 1 of an act in a public room, or in none; NULL of all others, which only members of the room may know of.
ALTER TABLE chat_audit ADD COLUMN shown INT; -- SQLite
ALTER TABLE chat_audit ADD COLUMN IF NOT EXISTS shown INT; -- PostgreSQL, MariaDB
UPDATE chat_audit SET shown = 1
  WHERE shown IS NULL AND (room_id IS NULL OR room_id IN (SELECT id FROM chat_rooms WHERE kind = 'public'));
CREATE INDEX IF NOT EXISTS chat_audit_shown ON chat_audit (shown, num);
CREATE INDEX IF NOT EXISTS chat_audit_by_room ON chat_audit (room_id, num);
