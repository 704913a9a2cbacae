-- needs: 1
-- The asker of a question who has another one: see `isSecond` of `RoomQuestion`. `asker` is then NULL.
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS second_asker BYTES(256); -- PostgreSQL, MariaDB
ALTER TABLE chat_rooms ADD COLUMN second_asker BYTES(256); -- SQLite

-- The guests that users were before their login. What they wrote as guests is exported and erased with their data.
CREATE TABLE IF NOT EXISTS chat_claimed (
  other_id BYTES(256) NOT NULL,
  user_id BYTES(256) NOT NULL,
  PRIMARY KEY (other_id, user_id)
) KEYED;
CREATE INDEX IF NOT EXISTS chat_claimed_by_user ON chat_claimed (user_id);
