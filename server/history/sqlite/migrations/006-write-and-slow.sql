-- Who may write in a room ('moderators', or NULL for all), the seconds between two messages of one user, and when a
-- member has written last.
ALTER TABLE rooms ADD COLUMN writers TEXT;
ALTER TABLE rooms ADD COLUMN slow INTEGER;
ALTER TABLE members ADD COLUMN wrote_at INTEGER;
