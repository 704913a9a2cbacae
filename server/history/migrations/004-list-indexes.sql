-- needs: 1
-- Members of a room in the order of their IDs, for `concernedMembers`.
CREATE INDEX IF NOT EXISTS chat_members_by_id ON chat_members (room, user_id);

-- Open reports, for the lists of moderators: only in MariaDB, where the indexes of 001-tables.sql contain all reports.
CREATE INDEX IF NOT EXISTS chat_reports_open ON chat_reports (closed(1), num); -- MariaDB
CREATE INDEX IF NOT EXISTS chat_reports_open_in_room ON chat_reports (room, closed(1), num); -- MariaDB
