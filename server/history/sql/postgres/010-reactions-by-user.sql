-- needs: 1
-- For all that is kept of one user: see `reactionsBy`.
CREATE INDEX chat_reactions_by_user ON chat_reactions (user_id, room, seq, emoji);
