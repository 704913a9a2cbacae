-- needs: 1
-- `pushed`: the message that was pushed last, and the devices that have got it, as JSON. `done`: when that push ended. Devices
-- that could not be reached get it at `due`; if there are none, `due` is NULL, and the row is kept for a few minutes. A newer
-- message is due as usual in both cases. A server of the version before does not push a newer message of a room whose row is
-- kept.

-- From here on: PostgreSQL, MariaDB
ALTER TABLE chat_pushes ADD COLUMN IF NOT EXISTS pushed LONG;
ALTER TABLE chat_pushes ADD COLUMN IF NOT EXISTS done INT;
ALTER TABLE chat_pushes ALTER COLUMN due DROP NOT NULL; -- PostgreSQL
ALTER TABLE chat_pushes MODIFY due INT; -- MariaDB
CREATE INDEX IF NOT EXISTS chat_pushes_by_end ON chat_pushes (due, done);
DROP INDEX IF EXISTS chat_pushes_by_time; -- PostgreSQL
DROP INDEX IF EXISTS chat_pushes_by_time ON chat_pushes; -- MariaDB

-- From here on: SQLite

-- The same: SQLite cannot let a column be NULL that was not.
ALTER TABLE chat_pushes RENAME TO chat_pushes_before;
CREATE TABLE chat_pushes (
  user_id BYTES(256) NOT NULL,
  room_id BYTES(256) NOT NULL,
  due INT,
  claimed INT,
  again INT,
  sending INT,
  pushed LONG,
  done INT,
  PRIMARY KEY (user_id, room_id)
) KEYED;
INSERT INTO chat_pushes (user_id, room_id, due, claimed, again, sending)
  SELECT user_id, room_id, due, claimed, again, sending FROM chat_pushes_before;
DROP TABLE chat_pushes_before;
CREATE INDEX chat_pushes_by_end ON chat_pushes (due, done);
