-- Of those who are no members any more, too: the deletion of a room would look through all members of all rooms for them.
DROP INDEX members_by_name;
CREATE INDEX members_by_name ON members (room, sort, user_id);
