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
