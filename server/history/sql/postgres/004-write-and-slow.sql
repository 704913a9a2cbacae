-- needs: 1
-- Who may write in a room ('moderators', or NULL for all), the seconds between two messages of one user, and when a
-- member has written last.
ALTER TABLE chat_rooms ADD COLUMN writers TEXT;
ALTER TABLE chat_rooms ADD COLUMN slow BIGINT;
ALTER TABLE chat_members ADD COLUMN wrote_at BIGINT;
