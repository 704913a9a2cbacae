-- For all that is kept of one user: see `reportsBy`.
CREATE INDEX reports_by_user ON reports (by_id, num);
