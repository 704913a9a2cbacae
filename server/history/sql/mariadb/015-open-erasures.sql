-- needs: 1
-- As in postgres/015-open-erasures.sql. Each statement can be carried out again.
CREATE INDEX IF NOT EXISTS chat_erasures_by_holder ON chat_erasures (holder, user_id);
CREATE INDEX IF NOT EXISTS chat_erasures_by_time ON chat_erasures (held_until, asked_at, user_id);
