-- needs: 1
-- Of a room in an event `notify.due`: when the user was notified of it before. A version before this one stores none.
ALTER TABLE chat_notified ADD COLUMN at_before INT; -- SQLite
ALTER TABLE chat_notified ADD COLUMN IF NOT EXISTS at_before INT; -- PostgreSQL, MariaDB
