-- needs: 1
-- The next erasure of which a step can be taken: one that its holder is at, one that a holder has left, one that is new.
CREATE INDEX chat_erasures_by_holder ON chat_erasures (holder, user_id);
CREATE INDEX chat_erasures_by_time ON chat_erasures (held_until, asked_at, user_id);
