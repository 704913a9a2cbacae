-- The next erasure of which a step can be taken: one that its holder is at, one that a holder has left, one that is new.
CREATE INDEX erasures_by_holder ON erasures (holder, user_id);
CREATE INDEX erasures_by_time ON erasures (held_until, asked_at, user_id);
