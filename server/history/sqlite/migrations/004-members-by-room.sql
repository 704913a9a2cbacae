-- Of those who are no members any more, too: the deletion of a room would look through all members of all rooms for them.
CREATE INDEX members_by_room ON members (room);
