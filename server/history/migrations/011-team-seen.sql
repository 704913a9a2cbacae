-- needs: 1
-- When a member of a team last had the role on a connection. Members of earlier versions count as seen now.
ALTER TABLE chat_team ADD COLUMN IF NOT EXISTS seen_at INT; -- PostgreSQL, MariaDB
ALTER TABLE chat_team ADD COLUMN seen_at INT; -- SQLite
UPDATE chat_team SET seen_at = CAST(extract(epoch FROM now()) AS BIGINT) * 1000 WHERE seen_at IS NULL; -- PostgreSQL
UPDATE chat_team SET seen_at = unix_timestamp() * 1000 WHERE seen_at IS NULL; -- MariaDB
UPDATE chat_team SET seen_at = unixepoch() * 1000 WHERE seen_at IS NULL; -- SQLite
