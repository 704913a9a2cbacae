-- needs: 1
-- For all that is kept of one user: see `reportsBy`.
CREATE INDEX chat_reports_by_user ON chat_reports (by_id, num);
