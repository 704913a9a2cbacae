-- It has former members, too. Without it the deletion of a room looks through the members of all rooms for them.
CREATE INDEX members_by_room ON members (room);
