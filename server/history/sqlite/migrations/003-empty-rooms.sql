-- Since when a room has no members: a private one is deleted after some time. NULL while it has any.
ALTER TABLE rooms ADD COLUMN empty_since INTEGER;
UPDATE rooms SET empty_since = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE members = 0;
CREATE INDEX rooms_by_emptiness ON rooms (empty_since) WHERE empty_since IS NOT NULL AND kind = 'private';
