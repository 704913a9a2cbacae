-- For all that is kept of one user: see `reactionsBy`.
CREATE INDEX reactions_by_user ON reactions (user_id, message, emoji);
