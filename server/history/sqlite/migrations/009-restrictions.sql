-- What moderators have laid on a user of a room, as JSON; when the first of it ends; and, while the user is banned, the
-- sources that make a member again afterwards. See rows.ts.
ALTER TABLE members ADD COLUMN restricted TEXT;
ALTER TABLE members ADD COLUMN restricted_until INTEGER;
ALTER TABLE members ADD COLUMN held INTEGER;
CREATE INDEX members_by_end ON members (restricted_until) WHERE restricted_until IS NOT NULL;
