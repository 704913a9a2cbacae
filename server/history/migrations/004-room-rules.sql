-- needs: 1
-- Whether authors learn who has seen a message in the room: 'off', or NULL for on.
ALTER TABLE chat_rooms ADD COLUMN seen CHARS(16); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS seen CHARS(16); -- PostgreSQL, MariaDB

-- Which of the two in a direct room want previews of links: 'low', 'high' or 'both', or NULL for none.
ALTER TABLE chat_rooms ADD COLUMN previews_of CHARS(16); -- SQLite
ALTER TABLE chat_rooms ADD COLUMN IF NOT EXISTS previews_of CHARS(16); -- PostgreSQL, MariaDB
