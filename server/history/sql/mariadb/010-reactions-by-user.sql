-- needs: 1
-- As in postgres/010-reactions-by-user.sql. Each statement can be carried out again.
CREATE INDEX IF NOT EXISTS chat_reactions_by_user ON chat_reactions (user_id, room, seq, emoji);
