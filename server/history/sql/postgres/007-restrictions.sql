-- needs: 1
-- What moderators have laid on a user of a room, as JSON; when the first of it ends; and, while the user is banned, the
-- sources that make a member again afterwards. See rows.ts.
ALTER TABLE chat_members ADD COLUMN restricted TEXT;
ALTER TABLE chat_members ADD COLUMN restricted_until BIGINT;
ALTER TABLE chat_members ADD COLUMN held BIGINT;
CREATE INDEX chat_members_by_end ON chat_members (restricted_until) WHERE restricted_until IS NOT NULL;
