-- needs: 1
-- Members of a room in the order of their IDs, for `concernedMembers`.
CREATE INDEX IF NOT EXISTS chat_members_by_id ON chat_members (room, user_id);
