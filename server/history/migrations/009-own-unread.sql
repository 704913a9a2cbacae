-- needs: 1
-- Own messages after `read_seq`, as a JSON list of `seq`: see `MemberRecord`.
ALTER TABLE chat_members ADD COLUMN IF NOT EXISTS own_unread LONG; -- PostgreSQL, MariaDB
ALTER TABLE chat_members ADD COLUMN own_unread LONG; -- SQLite
